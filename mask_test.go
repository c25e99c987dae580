package actionlog

import (
	"strings"
	"testing"
)

func TestMaskStaff(t *testing.T) {
	doc := with(`{"kind":"user"}`, `{"kind":"staff","id":"s-77","name":"Jo Berg","email":"jo@platform.example","external_id":"E9","roles":["support"]},`+
		`"summary":"JO BERG (jo@platform.example) removed Ann","targets":[{"kind":"user","id":"s-77","name":"Ann"}],"details":{"by":"s-77","n":[1.0, "s-777"]}`)
	want := with(`{"kind":"user"}`, `{"kind":"staff","name":"Our \"Staff\""},`+
		`"summary":"Our \"Staff\" (Our \"Staff\") removed Ann","targets":[{"kind":"user","id":"Our \"Staff\"","name":"Ann"}],"details":{"by":"Our \"Staff\"","n":[1.0, "s-777"]}`)
	if got := string(MaskStaff([]byte(doc), `Our "Staff"`)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	item := mustParse(t, doc)
	if all := strings.ToLower(strings.Join(item.Text, " ")); strings.Contains(all, "berg") || strings.Contains(all, "jo@") || strings.Contains(all, "e9") {
		t.Errorf("text tells who it was: %s", all)
	}
	if all := strings.Join(item.StaffText, " "); !strings.Contains(all, "Jo Berg") || !strings.Contains(all, "jo@platform.example") {
		t.Errorf("staff text does not: %s", all)
	}
}

func TestMaskStaffLeavesOthers(t *testing.T) {
	for _, doc := range []string{minimal, `not JSON`, `{"actor":7}`, with(`{"kind":"user"}`, `{"kind":"user","name":"Jo"}`)} {
		if got := string(MaskStaff([]byte(doc), "X")); got != doc {
			t.Errorf("%s became %s", doc, got)
		}
	}
}

func TestMaskStaffParts(t *testing.T) {
	doc := with(`{"kind":"user"}`, `{"kind":"staff","name":"Ann","email":"ann.smith@platform.example"},"summary":"ann.smith@platform.example and ANN"`)
	doc = strings.Replace(doc, `"action":{`, `"action":{"label":"Done by Ann",`, 1)
	got := string(MaskStaff([]byte(doc), "OLS"))
	for _, want := range []string{`"summary":"OLS and OLS"`, `"label":"Done by OLS"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if all := strings.Join(mustParse(t, doc).Text, " "); strings.Contains(strings.ToLower(all), "ann") {
		t.Errorf("text tells who it was: %s", all)
	}
}
