package format

import "strings"

// The OCSF numbers that identity formats share.
const (
	userService uint8 = 4 // user.type_id

	actionAllowed uint8 = 1
	actionDenied  uint8 = 2

	factorSMS       uint8 = 1
	factorQuestion  uint8 = 2
	factorCall      uint8 = 3
	factorBiometric uint8 = 4
	factorPush      uint8 = 5
	factorHardware  uint8 = 6
	factorOTP       uint8 = 7
	factorEmail     uint8 = 8
	factorU2F       uint8 = 9
	factorWebAuthn  uint8 = 10
	factorPassword  uint8 = 11
	factorOther     uint8 = 99

	protocolNTLM     uint8 = 1
	protocolKerberos uint8 = 2
	protocolOpenID   uint8 = 4
	protocolSAML     uint8 = 5
	protocolOAuth    uint8 = 6
	protocolBasic    uint8 = 11
	protocolOther    uint8 = 99
	protocolRADIUS   uint8 = 10
	protocolLDAP     uint8 = 12
)

// promptName is the activity of a second-factor prompt that was sent out and not yet answered.
const promptName = "MFA Prompt"

// factorWords tell the kind of a factor from its name, first match first. Names are compared in lower case with _ and - as spaces.
var factorWords = []struct {
	word string
	id   uint8
}{
	{"push", factorPush},
	{"mobile app notification", factorPush},
	{"notification", factorPush},
	{"webauthn", factorWebAuthn},
	{"fido", factorWebAuthn},
	{"passkey", factorWebAuthn},
	{"signed nonce", factorWebAuthn},
	{"windows hello", factorBiometric},
	{"hello for business", factorBiometric},
	{"biometric", factorBiometric},
	{"u2f", factorU2F},
	{"hardware", factorHardware},
	{"yubikey", factorHardware},
	{"rsa", factorHardware},
	{"smart card", factorHardware},
	{"certificate", factorHardware},
	{"text message", factorSMS},
	{"sms", factorSMS},
	{"phone call", factorCall},
	{"call", factorCall},
	{"voice", factorCall},
	{"phone", factorCall},
	{"verification code", factorOTP},
	{"one time", factorOTP},
	{"oath", factorOTP},
	{"totp", factorOTP},
	{"otp", factorOTP},
	{"soft token", factorOTP},
	{"token", factorOTP},
	{"email", factorEmail},
	{"question", factorQuestion},
	{"password", factorPassword},
	{"passphrase", factorPassword},
}

// factorType is the OCSF factor_type_id of an authentication factor by the source's name; 99 for one it does not know, 0 for none.
func factorType(name string) uint8 {
	if name == "" || len(name) > 64 {
		return 0
	}
	var folded [64]byte
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == '_' || c == '-':
			c = ' '
		}
		folded[i] = c
	}
	text := textOf(folded[:len(name)])
	for _, w := range factorWords {
		if strings.Contains(text, w.word) {
			return w.id
		}
	}
	return factorOther
}

// riskLevel is the OCSF risk_level_id of a level in words; 0 (informational) for none.
func riskLevel(s string) uint8 {
	switch {
	case strings.EqualFold(s, "low"):
		return 1
	case strings.EqualFold(s, "medium"), strings.EqualFold(s, "moderate"):
		return 2
	case strings.EqualFold(s, "high"):
		return 3
	case strings.EqualFold(s, "critical"):
		return 4
	}
	return 0
}
