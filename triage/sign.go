package triage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
)

// signature is the webhook-signature header of Standard Webhooks 1.0: for each key, v1 and the base64 of HMAC-SHA256 over id.timestamp.body,
// separated by spaces. at is the time of this attempt in Unix seconds.
func signature(keys [][]byte, id string, at int64, body []byte) string {
	var out []string
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at, 10) + "."))
		mac.Write(body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(out, " ")
}
