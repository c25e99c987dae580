package oidctest

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"time"
)

// Case is a token that must be refused.
type Case struct {
	Name   string // for t.Run; unique
	Attack string // a sentence: what it tries
	Token  string
}

// Matrix is all the bad tokens. Their claims are Claims(claims) but for what the
// attack changes, so each is refused for its attack alone. The key ids are the
// issuer's own wherever the attack does not say otherwise. A verifier never asks
// the attacker's server on the way: AttackerRequests stays 0.
//
// Cases named "form/…" have the issuer's own true claims and a wrong form: nobody
// gains by them, but a token has one spelling only.
//
// The verifier of go-oidc 3.21 alone takes sixteen of these, which are left to its
// caller: time/exp text, time/iat in the future, sub/missing, sub/empty, sub/null,
// sub/twice, aud/twice, exp/twice, three of typ/…, crit/empty, and of form/… white
// space and JSON.
func (f *Forger) Matrix(claims map[string]any) []Case {
	m := &matrix{Forger: f, base: claims}
	return slices.Concat(m.algorithms(), m.keys(), m.pointers(), m.times(), m.issuers(), m.subjects(), m.types(), m.headers(), m.signatures(), m.payloads(), m.forms())
}

// matrix makes the cases; each function is one kind of attack.
type matrix struct {
	*Forger
	base map[string]any
}

// claims are the good ones with changes, given as name, value, ….
func (m *matrix) claims(changes ...any) map[string]any {
	return changed(m.Claims(m.base), pairs(changes))
}

func pairs(list []any) map[string]any {
	members := map[string]any{}
	for i := 0; i+1 < len(list); i += 2 {
		members[list[i].(string)] = list[i+1]
	}
	return members
}

// token is signed by a key, with good claims and a changed header.
func (m *matrix) token(key any, alg, kid string, changes ...any) string {
	return m.Sign(m.header(alg, kid, pairs(changes)), m.claims(), key)
}

// own is signed by the issuer, with changed claims.
func (m *matrix) own(changes ...any) string {
	return m.Sign(m.header("RS256", RSAKid, nil), m.claims(changes...), m.RSA)
}

func (m *matrix) algorithms() []Case {
	der, err := x509.MarshalPKIXPublicKey(&m.RSA.PublicKey)
	if err != nil {
		panic(err) // it is a key
	}
	pkix := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&m.RSA.PublicKey)})
	kept := m.Good(m.base)
	kept = kept[strings.LastIndexByte(kept, '.')+1:]
	point, _ := m.EC.PublicKey.Bytes() // a made key is on its curve
	return []Case{
		{"alg/none", "says that it is not signed, and is not", m.token(nil, "none", RSAKid)},
		{"alg/None", "the same with a capital, past a list of what is forbidden", m.token(nil, "None", RSAKid)},
		{"alg/nOnE", "the same in mixed case", m.token(nil, "nOnE", RSAKid)},
		{"alg/none with a signature", "says that it is not signed and brings another token's signature", m.token(nil, "none", RSAKid) + kept},
		{"alg/empty", "names no algorithm by the empty word", m.token(nil, "", RSAKid)},
		{"alg/missing", "has a header without alg", m.token(m.RSA, "", RSAKid, "alg", Absent)},
		{"alg/null", "has null as its algorithm", m.token(m.RSA, "", RSAKid, "alg", nil)},
		{"alg/HS256 by the public key in PEM", "uses the issuer's public key as a shared secret", m.token(pkix, "HS256", RSAKid)},
		{"alg/HS256 by the trimmed PEM", "the same without the newline at the end", m.token([]byte(strings.TrimSpace(string(pkix))), "HS256", RSAKid)},
		{"alg/HS256 by the PKCS 1 PEM", "the same with the key's other spelling", m.token(pkcs1, "HS256", RSAKid)},
		{"alg/HS256 by the DER", "the same with the key's bytes", m.token(der, "HS256", RSAKid)},
		{"alg/HS256 by the modulus", "the same with the number that the JWKS shows", m.token(m.RSA.N.Bytes(), "HS256", RSAKid)},
		{"alg/HS256 by the curve's point", "the same with the public key of the curve", m.token(point, "HS256", ECKid)},
		{"alg/HS256 by nothing", "uses the empty secret", m.token([]byte{}, "HS256", RSAKid)},
		{"alg/ES256 of the RSA key", "names an algorithm that the key is not for", m.token(m.RSA, "ES256", RSAKid)},
		{"alg/RS256 of the curve's key", "names an algorithm that the key is not for, the other way round", m.token(m.EC, "RS256", ECKid)},
		{"alg/PS256 over RS256", "names another padding than it is signed with", m.token(m.RSA, "PS256", RSAKid)},
	}
}

func (m *matrix) keys() []Case {
	return []Case{
		{"key/another RSA key", "is signed by the attacker under the issuer's key id", m.token(m.AttackerRSA, "RS256", RSAKid)},
		{"key/another EC key", "the same on the curve", m.token(m.AttackerEC, "ES256", ECKid)},
		{"key/another RSA key, no kid", "is signed by the attacker and names no key", m.token(m.AttackerRSA, "RS256", "", "kid", Absent)},
		{"key/unknown kid", "is signed by the attacker under a key id that nobody has", m.token(m.AttackerRSA, "RS256", "nobody")},
		{"key/kid of the other key", "is signed by the attacker's curve under the id of the RSA key", m.token(m.AttackerEC, "ES256", RSAKid)},
		{"kid/path", "has a verifier that keeps keys in files read an empty one as the secret", m.token([]byte{}, "HS256", "../../../../../../dev/null")},
		{"kid/path with a zero byte", "the same, cutting off what the verifier appends", m.token([]byte{}, "HS256", "../../../../dev/null\x00.pem")},
		{"kid/SQL", "has a verifier that keeps keys in a database take its secret from the query", m.token([]byte("secret"), "HS256", "x' UNION SELECT 'secret' -- ")},
		{"kid/command", "has a verifier that opens keys by a shell run a command", m.token(m.AttackerRSA, "RS256", "key|touch /tmp/oidctest")},
		{"kid/URL", "has a verifier fetch the key from the attacker", m.token(m.AttackerRSA, "RS256", m.AttackerURL+"/jwks")},
		{"kid/long", "fills a cache or a log with a key id of 100 kB", m.token(m.AttackerRSA, "RS256", strings.Repeat("k", 100<<10))},
		{"kid/number", "has a key id that is no text", m.token(m.AttackerRSA, "RS256", "", "kid", 1)},
		{"kid/object", "has a key id that is an object", m.token(m.AttackerRSA, "RS256", "", "kid", map[string]any{"$ne": ""})},
	}
}

func (m *matrix) pointers() []Case {
	jwk, certificate := jwkRSA(&m.AttackerRSA.PublicKey), m.certificate()
	bring := func(name string, value any) (withKid, without string) {
		return m.token(m.AttackerRSA, "RS256", RSAKid, name, value), m.token(m.AttackerRSA, "RS256", "", name, value, "kid", Absent)
	}
	jku, jkuAlone := bring("jku", m.AttackerURL+"/jwks")
	embedded, embeddedAlone := bring("jwk", jwk)
	x5u, _ := bring("x5u", m.AttackerURL+"/cert.pem")
	x5c, x5cAlone := bring("x5c", []string{certificate})
	return []Case{
		{"pointer/jku", "points to the attacker's JWKS, which has the same key id", jku},
		{"pointer/jku, no kid", "the same without a key id", jkuAlone},
		{"pointer/jku that begins as the issuer", "points to the attacker behind the issuer's name as user", m.token(m.AttackerRSA, "RS256", RSAKid, "jku", strings.Replace(m.AttackerURL, "//", "//issuer.example@", 1))},
		{"pointer/jwk", "brings its own key", embedded},
		{"pointer/jwk, no kid", "the same without a key id", embeddedAlone},
		{"pointer/x5u", "points to the attacker's certificate", x5u},
		{"pointer/x5c", "brings its own certificate", x5c},
		{"pointer/x5c, no kid", "the same without a key id", x5cAlone},
	}
}

func (m *matrix) times() []Case {
	at := func(d time.Duration) int64 { return m.Now().Add(d).Unix() }
	return []Case{
		{"time/expired", "ended an hour ago", m.own("iat", at(-2*time.Hour), "nbf", at(-2*time.Hour), "exp", at(-time.Hour))},
		{"time/expired long ago", "ended at the epoch", m.own("exp", 0)},
		{"time/exp negative", "ended before the epoch", m.own("exp", -1)},
		{"time/exp missing", "never ends", m.own("exp", Absent)},
		{"time/exp null", "never ends, by null", m.own("exp", nil)},
		{"time/exp text", "has an end that is a text", m.own("exp", "9999999999")},
		{"time/exp beyond numbers", "has an end that no number holds", m.own("exp", json.Number("1e999"))},
		{"time/nbf in the future", "is not valid before tomorrow", m.own("nbf", at(24*time.Hour), "exp", at(48*time.Hour))},
		{"time/iat in the future", "was issued tomorrow", m.own("iat", at(24*time.Hour), "exp", at(48*time.Hour), "nbf", Absent)},
		{"time/iat text", "has a time of issue that is a text", m.own("iat", "now")},
	}
}

func (m *matrix) issuers() []Case {
	audience, _ := m.claims()["aud"].(string)
	return []Case{
		{"iss/another", "says that another issuer made it", m.own("iss", "https://issuer.example")},
		{"iss/the attacker", "is the attacker's own good token", m.Sign(m.header("RS256", RSAKid, nil), m.claims("iss", m.AttackerURL), m.AttackerRSA)},
		{"iss/with a slash", "has an issuer with a slash more", m.own("iss", m.Issuer+"/")},
		{"iss/prefix", "has an issuer that only begins as ours", m.own("iss", m.Issuer+".attacker.example")},
		{"iss/missing", "names no issuer", m.own("iss", Absent)},
		{"iss/empty", "has the empty word as issuer", m.own("iss", "")},
		{"iss/list", "names ours among several issuers", m.own("iss", []string{m.Issuer, m.AttackerURL})},
		{"aud/another", "was made for another service", m.own("aud", "another-service")},
		{"aud/others", "was made for several other services", m.own("aud", []string{"one", "two"})},
		{"aud/prefix", "was made for a service whose name begins as ours", m.own("aud", audience+"-other")},
		{"aud/in another case", "was made for our name in capitals", m.own("aud", strings.ToUpper(audience))},
		{"aud/missing", "was made for nobody", m.own("aud", Absent)},
		{"aud/null", "was made for null", m.own("aud", nil)},
		{"aud/empty", "was made for the empty word", m.own("aud", "")},
		{"aud/empty list", "was made for an empty list", m.own("aud", []string{})},
		{"aud/object", "was made for an object with our name in it", m.own("aud", map[string]any{audience: true})},
	}
}

func (m *matrix) subjects() []Case {
	return []Case{
		{"sub/missing", "is nobody's", m.own("sub", Absent)},
		{"sub/empty", "is of somebody without a name", m.own("sub", "")},
		{"sub/null", "is of null", m.own("sub", nil)},
		{"sub/number", "has a subject that is no text", m.own("sub", 7)},
		{"sub/list", "is of two people", m.own("sub", []string{m.Subject, "root"})},
		{"sub/twice", "has two subjects: which is read depends on the reader", m.spliced("sub", `"root"`)},
		{"aud/twice", "has two audiences, another's and ours", m.spliced("aud", `"another-service"`)},
		{"exp/twice", "has two ends, the first of them past", m.spliced("exp", `1`)},
	}
}

// spliced is the issuer's token whose payload begins with one more member, before
// the good one of that name; JSON readers take the first, the last, or neither.
func (m *matrix) spliced(name, value string) string {
	return m.SignText(text(m.header("RS256", RSAKid, nil)), `{"`+name+`":`+value+`,`+text(m.claims())[1:], m.RSA)
}

// certificate is the attacker's own, in the form of x5c.
func (m *matrix) certificate() string {
	return base64.StdEncoding.EncodeToString(selfSigned(m.AttackerRSA))
}
