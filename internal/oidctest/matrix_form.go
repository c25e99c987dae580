package oidctest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"time"
)

// selfSigned is a certificate of a key by itself.
func selfSigned(key *rsa.PrivateKey) []byte {
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		panic(err) // it is a key
	}
	return der
}

func (m *matrix) types() []Case {
	events := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	return []Case{
		{"typ/logout token", "is what the issuer sends to end a session", m.Sign(m.header("RS256", RSAKid, map[string]any{"typ": "logout+jwt"}), m.claims("events", events), m.RSA)},
		{"typ/security event", "is what the issuer sends to tell of an event", m.Sign(m.header("RS256", RSAKid, map[string]any{"typ": "secevent+jwt"}), m.claims("events", events), m.RSA)},
		{"typ/request object", "is what a client sends to an issuer", m.token(m.RSA, "RS256", RSAKid, "typ", "oauth-authz-req+jwt")},
		{"typ/nested", "has a good token as its payload", m.SignText(text(m.header("RS256", RSAKid, map[string]any{"cty": "JWT"})), m.own(), m.RSA)},
		{"typ/encrypted", "has the five parts of an encrypted token", b64([]byte(`{"alg":"dir","enc":"A256GCM"}`)) + "..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"},
	}
}

func (m *matrix) headers() []Case {
	good := text(m.header("RS256", RSAKid, nil))
	unencoded := func(header string) string {
		payload := strings.ReplaceAll(text(m.claims()), ".", `\u002e`)
		signed := b64([]byte(header)) + "." + payload
		return signed + "." + b64(signature([]byte(signed), m.RSA))
	}
	return []Case{
		{"crit/unknown", "demands an extension that nobody knows", m.token(m.RSA, "RS256", RSAKid, "crit", []string{"x-oidctest"}, "x-oidctest", true)},
		{"crit/exp", "demands an end in the header that is past", m.token(m.RSA, "RS256", RSAKid, "crit", []string{"exp"}, "exp", 1)},
		{"crit/empty", "demands nothing, which the format forbids", m.token(m.RSA, "RS256", RSAKid, "crit", []string{})},
		{"crit/text", "demands by a text in place of a list", m.token(m.RSA, "RS256", RSAKid, "crit", "x-oidctest")},
		{"b64/false", "has its payload unencoded and says that this is critical", unencoded(text(m.header("RS256", RSAKid, map[string]any{"b64": false, "crit": []string{"b64"}})))},
		{"b64/false, not critical", "the same without saying so", unencoded(text(m.header("RS256", RSAKid, map[string]any{"b64": false})))},
		{"header/alg twice", "has two algorithms: which is read depends on the reader", m.SignText(`{"alg":"none",`+good[1:], text(m.claims()), m.RSA)},
		{"header/no JSON", "has a header that is no JSON", m.SignText("RS256", text(m.claims()), m.RSA)},
		{"header/list", "has a header that is a list", m.SignText("["+good+"]", text(m.claims()), m.RSA)},
		{"header/empty", "has the empty object as header", m.SignText("{}", text(m.claims()), m.RSA)},
	}
}

func (m *matrix) signatures() []Case {
	good, raised := m.own(), m.own("sub", "root", "roles", []string{"admin"}, "groups", []string{"admin"})
	cut, other := strings.LastIndexByte(good, '.'), strings.LastIndexByte(raised, '.')
	ec := m.token(m.EC, "ES256", ECKid)
	ecCut := strings.LastIndexByte(ec, '.')
	psychic := func(r, s *big.Int) string {
		return ec[:ecCut+1] + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
	zero, n := new(big.Int), m.EC.Params().N
	letter := "A"
	if good[cut+10:cut+11] == letter {
		letter = "B"
	}
	return []Case{
		{"signature/of another token", "has more rights and the signature of a good token", raised[:other] + good[cut:]},
		{"signature/missing", "has an empty signature", good[:cut+1]},
		{"signature/missing with its dot", "has two parts", good[:cut]},
		{"signature/truncated", "lacks the end of its signature", good[:len(good)-8]},
		{"signature/one byte", "has a signature of one byte", good[:cut+1] + "AA"},
		{"signature/changed", "has a signature with one letter changed", good[:cut+10] + letter + good[cut+11:]},
		{"signature/zeros", "has a signature of zeros", good[:cut+1] + b64(make([]byte, 256))},
		{"signature/ones", "has a signature that is the number one", good[:cut+1] + b64(big.NewInt(1).FillBytes(make([]byte, 256)))},
		{"signature/too long", "has bytes behind its signature", good + "AAAA"},
		{"signature/ES256 r=s=0", "has a signature on the curve that is zero (psychic signature)", psychic(zero, zero)},
		{"signature/ES256 r=s=n", "the same modulo the curve's order", psychic(n, n)},
		{"signature/ES256 r=0", "the same in one half", psychic(zero, big.NewInt(1))},
		{"signature/ES256 empty", "has an empty signature on the curve", ec[:ecCut+1]},
		{"signature/ES256 halved", "has one half of a signature on the curve", ec[:ecCut+1] + b64(make([]byte, 32))},
	}
}

func (m *matrix) payloads() []Case {
	head, claims := text(m.header("RS256", RSAKid, nil)), text(m.claims())
	return []Case{
		{"payload/no JSON", "has a payload that is no JSON", m.SignText(head, "hello", m.RSA)},
		{"payload/empty", "has no payload", m.SignText(head, "", m.RSA)},
		{"payload/empty object", "has no claims", m.SignText(head, "{}", m.RSA)},
		{"payload/list", "has its claims in a list", m.SignText(head, "["+claims+"]", m.RSA)},
		{"payload/null", "has null as payload", m.SignText(head, "null", m.RSA)},
		{"payload/garbage behind", "has something behind its claims", m.SignText(head, claims+"{}", m.RSA)},
		{"payload/cut off", "lacks the end of its claims", m.SignText(head, claims[:len(claims)-1], m.RSA)},
	}
}

func (m *matrix) forms() []Case {
	good := m.own()
	for !strings.ContainsAny(good, "-_") { // a token of which the alphabets differ
		good = m.own()
	}
	parts := strings.Split(good, ".")
	flattened := `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
	return []Case{
		{"empty", "is no token", ""},
		{"dots", "has three parts of nothing", ".."},
		{"letters", "has three parts that decode to nothing", "a.b.c"},
		{"huge", "has a megabyte of letters", strings.Repeat("A", 1<<20)},
		{"many dots", "has a hundred thousand parts", strings.Repeat(".", 100_000)},
		{"form/a part more", "has a fourth part", good + ".AAAA"},
		{"form/a dot more", "has an empty fourth part", good + "."},
		{"form/padded", "has the padding that base64url leaves out", good + "=="},
		{"form/the other base64", "is spelled in the alphabet of standard base64", strings.NewReplacer("-", "+", "_", "/").Replace(good)},
		{"form/space within", "has a space between its parts", parts[0] + " ." + parts[1] + "." + parts[2]},
		{"form/newline within", "has a newline in its payload", parts[0] + "." + parts[1][:8] + "\n" + parts[1][8:] + "." + parts[2]},
		{"form/newline behind", "ends with a newline", good + "\n"},
		{"form/zero byte", "ends with a zero byte", good + "\x00"},
		{"form/twice", "is two tokens with a comma, as two headers make of it", good + ", " + good},
		{"form/JSON", "is the same token in JSON", flattened},
		{"form/quoted", "is in quotes", `"` + good + `"`},
	}
}
