package triage

import (
	"context"
	"errors"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// mailer sends by SMTP: with TLS from the start (smtps), or with STARTTLS, which is required unless plain connections are allowed.
type mailer struct {
	host    string
	options []gomail.Option
	from    string
	to      []string
	domain  string // of message ids
}

func newMail(k *courier, to *url.URL, w way) (*mailer, error) {
	m := &mailer{host: to.Hostname(), from: k.From, to: k.To}
	_, m.domain, _ = strings.Cut(strings.TrimSuffix(k.From[strings.LastIndex(k.From, "<")+1:], ">"), "@")
	cfg := w.tls.Clone()
	cfg.ServerName = m.host
	policy := gomail.TLSMandatory
	if k.AllowPlain {
		policy = gomail.TLSOpportunistic
	}
	port := 587
	m.options = []gomail.Option{
		gomail.WithTLSConfig(cfg), gomail.WithTLSPolicy(policy), gomail.WithDialContextFunc(gomail.DialContextFunc(w.dial)), gomail.WithTimeout(k.Timeout), gomail.WithoutNoop(),
	}
	if to.Scheme == "smtps" {
		port = 465
		secure := func(ctx context.Context, _, address string) (net.Conn, error) { return w.secure(ctx, address) }
		m.options = append(m.options, gomail.WithDialContextFunc(secure), gomail.WithTLSPolicy(gomail.TLSOpportunistic)) // it is TLS already
	}
	if p := to.Port(); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil {
			return nil, err
		}
		port = n
	}
	m.options = append(m.options, gomail.WithPort(port))
	if k.Username != "" {
		m.options = append(m.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(k.Username), gomail.WithPassword(k.options.Token))
	}
	_, err := gomail.NewClient(m.host, m.options...)
	return m, err
}

// carry implements carrier. All mails of an incident are one thread; the id makes a mail that is sent twice the same mail.
func (m *mailer) carry(ctx context.Context, l *adapter.Letter, p adapter.Parcel, _ time.Time) answer {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	if err := errors.Join(msg.From(m.from), msg.To(m.to...)); err != nil {
		return answer{verdict: refused, err: "from or to cannot be used"}
	}
	msg.Subject(p.Subject)
	msg.SetMessageIDWithValue(l.ID + "@" + m.domain)
	thread := "<" + p.Key + "@" + m.domain + ">"
	msg.SetGenHeaderPreformatted("References", thread)
	msg.SetGenHeaderPreformatted("In-Reply-To", thread)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	if at, err := time.Parse(time.RFC3339, l.Time); err == nil {
		msg.SetDateWithValue(at)
	}
	msg.SetBodyString(gomail.TypeTextPlain, string(p.Body))
	client, err := gomail.NewClient(m.host, m.options...)
	if err != nil {
		return answer{verdict: refused, err: cut(plain(err.Error()), 300)}
	}
	return judgeMail(client.DialAndSendWithContext(ctx, msg))
}

// judgeMail reads what an SMTP server said: a 5xx is final, anything else is worth another attempt.
func judgeMail(err error) answer {
	if err == nil {
		return answer{verdict: delivered}
	}
	a := failed(err)
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		a.status = reply.Code
	}
	if send, ok := errors.AsType[*gomail.SendError](err); ok {
		a.status = send.ErrorCode()
		if send.IsTemp() {
			return a
		}
	}
	a.text = cut(plain(err.Error()), maxAnswer)
	if a.status >= 500 {
		a.verdict = refused
	}
	return a
}
