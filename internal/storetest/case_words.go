package storetest

import (
	"strings"

	"actionlog"
)

func wordFilterCases() []testCase {
	const rule = "FieldAny: all of the words, anywhere in the action; words as internal/people cuts and folds them."
	f := actionlog.FieldAny
	long := strings.Repeat("wort", 100)
	r := func(sought, want string) row { return row{sought, is(f, words(sought)), want} }
	return []testCase{
		filterCase("words", rule, []string{
			action("latin", noon, `"summary":"Łukasz ÅNGSTRÖM drank the crème brûlée; ﬁne"`),
			action("cyrillic", noon, `"summary":"Пётр Иванов удалил КУРС"`),
			action("han", noon, `"summary":"王小明 删除了 课程"`), action("kana", noon, `"summary":"ガイド ｶﾞｲﾄﾞ"`),
			action("arabic", noon, `"summary":"أحمد مُحَمَّد"`), action("hebrew", noon, `"summary":"שָׁלוֹם עולם"`),
			action("devanagari", noon, `"summary":"नमस्ते दुनिया"`),
			action("thai", noon, `"summary":"สวัสดี ครับ"`),
			action("hangul", noon, `"summary":"안녕 세계"`),
			action("greek", noon, `"summary":"ΣΟΦΟΣ σοφός"`),
			action("turkish", noon, `"summary":"İSTANBUL ıspanak"`),
			action("german", noon, `"summary":"Straße GROẞ"`),
			action("emoji", noon, `"summary":"😀 🇩🇪 ☃"`), action("digits", noon, `"details":{"n":[3.14,-42,1e9,"٤٢"]}`),
			action("operators", noon, `"summary":"AND or Not near* \"quoted\" (paren) ^caret -minus + col:on"`),
			action("under", noon, `"summary":"snake_case_word _i1 __x__ o'clock O’Neil"`),
			action("long", noon, `"summary":`+quote(long)),
			action("spread", noon, `"actor":{"kind":"user","name":"Ann Lee","email":"ann.lee@example.edu"}`, `"course":{"title":"Arts and Craft"}`,
				`"targets":[{"name":"Melody Wang"}]`, `"details":{"deep":[{"er":["treasure"]}],"keyword":true}`,
				`"changes":[{"field":"grade","before":"B","after":{"x":"Aplus"}}]`,
				`"request":{"url":"https://h.example/v2.2/things"}`, `"trace":{"batch_id":"batch-77"}`, `"action":{"code":"course.learner.removed"}`),
		}, []row{
			r("lukasz", "latin"), r("Łukasz angstrom", "latin"), r("CREME BRULEE fine", "latin"), r("lukas", ""), r("ukasz", ""), r("lukasz nobody", ""),
			r("иванов", "cyrillic"), r("Петр", "cyrillic"), r("王小明", "han"), r("王小", ""), r("课程 删除了", "han"), r("ガイド", "kana"),
			r("محمد", "arabic"), r("שלום", "hebrew"), r("नमस्ते", "devanagari"), r("สวัสดี", "thai"), r("세계 안녕", "hangul"),
			r("σοφοσ", "greek"), r("istanbul ispanak", "turkish"), r("strasse gross", "german"),
			r("3 14", "digits"), r("42", "digits"), r("٤٢", "digits"),
			r("and", "operators spread"), r("AND OR NOT NEAR", "operators"), r("quoted paren caret minus col on", "operators"),
			r("snake", "under"), r("snake_case_word", "under"), r("word snake i1", "under"), r("o clock neil", "under"),
			r(long, "long"), r(long+long, "long"), r(long[:100], ""),
			r("ann", "spread"), r("ann melody craft treasure aplus", "spread"), r("Ann.Lee@example.edu", "spread"), r("https://h.example/v2.2/things", "spread"),
			r("batch 77", "spread"), r("keyword", ""), r("deep", ""), r("Learner removed", "spread"), r("melody lukasz", ""),
			{"several", is(f, words("lukasz"), words("ann lee"), words("nobody")), "latin spread"},
			{"several of several words", is(f, words("lukasz nobody"), words("craft treasure")), "spread"},
			{"the same word twice", is(f, words("ann ann ann")), "spread"},
		}),
		{"words of two clauses", rule, func(c *check) {
			c.write(action("a", noon, `"summary":"red"`, `"details":{"x":"green"}`), action("b", noon, `"summary":"red blue"`))
			c.finds(where(is(f, words("red")), is(f, words("green"))), "a")
			c.finds(where(is(f, words("red")), not(f, words("green"), words("x"))), "b")
			c.finds(where(not(f, words("red blue"))), "a")
			c.finds(where(not(f, words("blue"), words("green"))))
		}},
	}
}

func titledFilterCases() []testCase {
	const rule = "TitledMatch describes a course or class: the directory key; the ID, byte for byte; or words, all of the title."
	return []testCase{filterCase("courses and classes", rule, []string{
		action("art", noon, `"course":{"id":"C1","title":"Arts and Craft"}`, `"class":{"id":"K1","title":"Autumn Évening"}`),
		action("renamed", noon, `"course":{"id":"C1","title":"Fine Arts"}`), action("id", noon, `"course":{"id":"c1"}`),
		action("title", noon, `"course":{"title":"arts AND  crâft!"}`, `"class":{"title":"☃"}`),
		action("swapped", noon, `"course":{"id":"K1","title":"Autumn Evening"}`, `"class":{"id":"C1","title":"Arts and Craft"}`),
		action("none", noon), action("wrong", noon, `"course":{"id":7,"title":["Arts"]}`),
		action("elsewhere", noon, `"summary":"Arts and Craft C1"`, `"targets":[{"kind":"course","id":"C1","name":"Arts and Craft"}]`),
	}, []row{
		{"id", is(actionlog.FieldCourse, titled(actionlog.TitledMatch{ID: "C1"})), "art renamed"},
		{"id in another case", is(actionlog.FieldCourse, titled(actionlog.TitledMatch{ID: "c1"})), "id"},
		{"key of an id", is(actionlog.FieldCourse, titled(actionlog.TitledMatch{Key: "id:C1"})), "art renamed"},
		{"key of a title", is(actionlog.FieldCourse, titled(actionlog.TitledMatch{Key: "name:arts and craft"})), "title"},
		{"words", is(actionlog.FieldCourse, titled(actionlog.TitledMatch{Words: []string{"craft", "arts"}})), "art title"},
		{"one word", is(actionlog.FieldCourse, titled(actionlog.TitledMatch{Words: []string{"arts"}})), "art renamed title"},
		{"words that no title has together", is(actionlog.FieldCourse, titled(actionlog.TitledMatch{Words: []string{"fine", "craft"}})), ""},
		{"class id", is(actionlog.FieldClass, titled(actionlog.TitledMatch{ID: "K1"})), "art"},
		{"class words", is(actionlog.FieldClass, titled(actionlog.TitledMatch{Words: []string{"evening"}})), "art"},
		{"class key without words", is(actionlog.FieldClass, titled(actionlog.TitledMatch{Key: "name:☃"})), "title"},
		{"several", is(actionlog.FieldCourse, titled(actionlog.TitledMatch{ID: "c1"}), titled(actionlog.TitledMatch{Words: []string{"fine"}}),
			titled(actionlog.TitledMatch{Key: "name:nothing"})), "id renamed"},
	})}
}
