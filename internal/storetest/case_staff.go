package storetest

import (
	"actionlog"
)

func staffCases() []testCase {
	const rule = "StaffFindable: filters find staff by their real names. StaffShown: staff are people like any others. StaffHidden: no filter looks at who they are."
	return []testCase{{"staff views", rule, testStaffViews}, {"staff in other roles", rule, testStaffRoles}}
}

func testStaffViews(c *check) {
	c.write(
		action("staff", noon, `"actor":{"kind":"staff","id":"S1","name":"Rita Root","email":"rita@platform.example","external_id":"X1"}`,
			`"summary":"Rita Root opened the course"`,
			`"targets":[{"name":"Ann Lee"}]`, `"on_behalf_of":{"id":"U9","name":"Bob Wong"}`),
		action("plainstaff", noon, `"actor":{"kind":"staff"}`),
		action("user", noon, `"actor":{"kind":"user","id":"S1","name":"Rita Root","email":"rita@platform.example","external_id":"X1"}`,
			`"summary":"Rita Root opened the course"`),
		action("mention", noon, `"summary":"asked by Rita Root"`))
	byWho := map[string]actionlog.Value{
		"name": named("rita root"), "key": keyed("id:S1"), "id": withID("S1"), "external id": withID("X1"), "e-mail": mailed("rita@platform.example"),
		"prefix": beginning("rita@"), "domain": domain("platform.example"),
	}
	for name, value := range byWho {
		for _, f := range []actionlog.Field{actionlog.FieldActor, actionlog.FieldPerson} {
			c.group(name+" of "+string(f), func(c *check) {
				for _, view := range []actionlog.StaffView{actionlog.StaffFindable, actionlog.StaffShown} {
					c.finds(seenBy(view, where(is(f, value))), "staff", "user")
					c.finds(seenBy(view, where(not(f, value))), "plainstaff", "mention")
				}
				c.finds(seenBy(actionlog.StaffHidden, where(is(f, value))), "user")
				c.finds(seenBy(actionlog.StaffHidden, where(not(f, value))), "staff", "plainstaff", "mention")
				c.finds(seenBy(actionlog.StaffHidden, where(is(f, value, anyStaff()))), "user", "staff", "plainstaff")
			})
		}
	}
	for _, view := range []actionlog.StaffView{actionlog.StaffFindable, actionlog.StaffShown, actionlog.StaffHidden} {
		c.finds(seenBy(view, where(is(actionlog.FieldActor, anyStaff()))), "staff", "plainstaff")
		c.finds(seenBy(view, where(is(actionlog.FieldPerson, anyStaff()))), "staff", "plainstaff")
		c.finds(seenBy(view, where(not(actionlog.FieldActor, anyStaff()))), "user", "mention")
		c.finds(seenBy(view, where(is(actionlog.FieldActorKind, text("staff")))), "staff", "plainstaff")
		c.finds(seenBy(view, where(is(actionlog.FieldAny, words("opened the course")))), "staff", "user")
		c.finds(seenBy(view, where(is(actionlog.FieldAny, words("ann lee")))), "staff")
	}
	for _, view := range []actionlog.StaffView{actionlog.StaffFindable, actionlog.StaffShown} {
		c.finds(seenBy(view, where(is(actionlog.FieldAny, words("rita root")))), "staff", "user", "mention")
		c.finds(seenBy(view, where(is(actionlog.FieldAny, words("rita opened")))), "staff", "user")
		c.finds(seenBy(view, where(not(actionlog.FieldAny, words("rita")))), "plainstaff")
	}
	c.finds(seenBy(actionlog.StaffHidden, where(is(actionlog.FieldAny, words("rita root")))), "user", "mention")
	c.finds(seenBy(actionlog.StaffHidden, where(is(actionlog.FieldAny, words("rita opened")))), "user")
	c.finds(seenBy(actionlog.StaffHidden, where(is(actionlog.FieldAny, words("S1")))), "user")
	c.finds(seenBy(actionlog.StaffHidden, where(not(actionlog.FieldAny, words("rita")))), "staff", "plainstaff")
}

func testStaffRoles(c *check) {
	c.write(
		action("staff", noon, `"actor":{"kind":"staff","id":"S1","name":"Rita Root"}`, `"targets":[{"id":"U1","name":"Ann Lee"}]`,
			`"on_behalf_of":{"id":"U2","name":"Bob Wong"}`),
		action("target", noon, `"actor":{"kind":"user","id":"U1","name":"Ann Lee"}`, `"targets":[{"kind":"staff","id":"S1","name":"Rita Root"}]`))
	for _, view := range []actionlog.StaffView{actionlog.StaffFindable, actionlog.StaffShown, actionlog.StaffHidden} {
		c.finds(seenBy(view, where(is(actionlog.FieldTarget, named("ann")))), "staff")
		c.finds(seenBy(view, where(is(actionlog.FieldOnBehalfOf, keyed("id:U2")))), "staff")
		c.finds(seenBy(view, where(is(actionlog.FieldPerson, withID("U1")))), "staff", "target")
		c.finds(seenBy(view, where(is(actionlog.FieldTarget, named("rita")))), "target")
		c.finds(seenBy(view, where(is(actionlog.FieldActor, anyStaff()))), "staff")
	}
}
