package view

import (
	"cmp"
	"slices"
)

// access is who may read and write the rows: "all", "user", "owner" or "admin"; or of an
// organisation's members "member" or "member admin".
type access struct{ read, write string }

func (w resource) access() access {
	r := w.r
	switch {
	case r.Organisation && r.Guard == "admin":
		return access{"member", "member admin"}
	case r.Organisation:
		return access{"member", "member"}
	case r.Owner:
		return access{cmp.Or(r.Read, "owner"), cmp.Or(r.Write, "owner")}
	case r.Guard == "user":
		return access{cmp.Or(r.Read, "user"), "user"}
	case r.Guard == "admin":
		return access{cmp.Or(r.Read, "user"), "admin"}
	}
	return access{"all", "all"}
}

// rules returns the rules of the model. Rows that may not be read may not be changed
// either, so writing needs a rule of its own only where it is stricter.
func (w resource) rules() []Rule {
	a, many := w.access(), words(w.r.Plural)
	var rules []Rule
	switch a.read {
	case "member":
		rules = append(rules, Rule{Name: "Readable", Doc: "the " + many + " that the caller may read: those of the organisation.", All: "organisations.Within(tx, organisations.RoleMember)"})
	case "user":
		rules = append(rules, Rule{Name: "Readable", Doc: "the " + many + " that the caller may read: all, when signed in.", All: "auth.SignedIn(tx)"})
	case "owner":
		rule := Rule{Name: "Readable", Doc: "the " + many + " that the caller may read: their own.", Own: true, Or: w.r.Public}
		if w.r.Public != "" {
			rule.Doc = "the " + many + " that the caller may read: their own and those that are " + words(w.r.Public) + "."
		}
		rules = append(rules, rule)
	}
	switch {
	case a.write == "member admin":
		rules = append(rules, Rule{Name: "Writable", Doc: "the " + many + " that the caller may change: those of the organisation, as an admin of it.", All: "organisations.Within(tx, organisations.RoleAdmin)"})
	case a.write == "admin":
		rules = append(rules, Rule{Name: "Writable", Doc: "the " + many + " that the caller may change: all, as an administrator.", All: "auth.OnlyAdmin(tx)"})
	case a.write == "user" && a.read == "all":
		rules = append(rules, Rule{Name: "Writable", Doc: "the " + many + " that the caller may change: all, when signed in.", All: "auth.SignedIn(tx)"})
	case a.write == "owner" && (a.read != "owner" || w.r.Public != ""):
		rules = append(rules, Rule{Name: "Writable", Doc: "the " + many + " that the caller may change: their own.", Own: true})
	}
	return rules
}

// Has reports whether the model has the rule "Readable" or "Writable".
func (m Model) Has(rule string) bool {
	return slices.ContainsFunc(m.Rules, func(r Rule) bool { return r.Name == rule })
}

// guards returns the guards of reading and of writing routes, as appended to the route.
func (a access) guards() (reads, writes string) {
	guard := map[string]string{"user": ".Guard(auth.User())", "owner": ".Guard(auth.User())", "admin": ".Guard(auth.Admin())",
		"member": ".Guard(organisations.Member(gdb))", "member admin": ".Guard(organisations.Admin(gdb))"}
	return guard[a.read], guard[a.write]
}
