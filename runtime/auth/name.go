package auth

import (
	"crypto/rand"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/fault"
)

// NameDetails rejects a name that can be confused with another, by the "highly
// restrictive" level of Unicode's UTS 39: one that mixes scripts not written
// together, uses a script not in common use, contains invisible characters, or
// consists only of letters that look Latin. It returns nothing for a good name. Names
// that differ in case or width alone are one by the folded form; see
// [db.UniqueNoCase].
func NameDetails(field, name string) []fault.Detail {
	why := confusable(name)
	if why == "" {
		return nil
	}
	return refusedName(field, why)
}

func refusedName(field, why string) []fault.Detail {
	words := strings.ReplaceAll(field, "_", " ")
	return []fault.Detail{{Field: field, Rule: "confusable", Message: strings.ToUpper(words[:1]) + words[1:] + " " + why}}
}

// AddressDetails is NameDetails for an e-mail address, of which each part stands
// for itself: ivan@пример.example is a good one. It also refuses characters that
// nobody sees, which [db.Fold] leaves out: such an address would be taken for another
// one, whose owner does not get its mail.
func AddressDetails(field, address string) []fault.Detail {
	if strings.ContainsFunc(address, unseen) {
		return refusedName(field, "has invisible characters")
	}
	for part := range strings.FieldsFuncSeq(address, func(r rune) bool { return r == '@' || r == '.' }) {
		if details := NameDetails(field, part); details != nil {
			return details
		}
	}
	return nil
}

// unseen reports whether nobody sees a character of an address.
func unseen(r rune) bool {
	return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// FreeName returns an unused username for a new user, derived from the username at
// the identity provider or from the e-mail address. It is valid (see [NameDetails])
// and has 3 to 50 characters.
func FreeName(tx *gorm.DB, proposals ...string) (string, error) {
	name := "user"
	for _, proposal := range proposals {
		proposal, _, _ = strings.Cut(proposal, "@")
		proposal = strings.Join(strings.FieldsFunc(proposal, func(r rune) bool { return unicode.In(r, unicode.Z, unicode.C) }), " ")
		runes := []rune(proposal)
		proposal = strings.TrimSpace(string(runes[:min(len(runes), 40)])) // and room for a number
		if utf8.RuneCountInString(proposal) >= 3 && confusable(proposal) == "" {
			name = proposal
			break
		}
	}
	for try := name; ; try = name + "-" + strings.ToLower(rand.Text()[:6]) {
		var taken int64
		err := db.WhereFold(tx.Model(&account{}), "username", try).Count(&taken).Error
		if err != nil || taken == 0 {
			return try, err
		}
	}
}

// together are scripts that one word is written in.
var together = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Bopomofo"},
	{"Latin", "Han", "Hangul"},
}

// scripts are those in common use (UAX 31, table 5).
var scripts = strings.Fields("Latin Arabic Armenian Bengali Bopomofo Cyrillic Devanagari Ethiopic Georgian Greek Gujarati Gurmukhi Hangul Han " +
	"Hebrew Hiragana Kannada Katakana Khmer Lao Malayalam Myanmar Oriya Sinhala Tamil Telugu Thaana Thai Tibetan")

// lookalikes are letters of other scripts that are drawn as Latin ones.
const lookalikes = "асԁеһіјӏорԛѕԝхуѵАВЕЅІЈКМНОРСТУХԚԜӀ" + "ονραυικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "օոսհյ"

// confusable says how a name can be taken for another; "" when it cannot.
func confusable(name string) string {
	var has []string
	letters, alike := 0, 0
	for _, r := range name {
		if r <= unicode.MaxASCII && !unicode.IsLetter(r) || unicode.In(r, unicode.Common, unicode.Inherited) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) {
			continue
		}
		if unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) {
			return "has invisible characters"
		}
		if letters++; strings.ContainsRune(lookalikes, r) {
			alike++
		}
		if slices.ContainsFunc(has, func(script string) bool { return unicode.Is(unicode.Scripts[script], r) }) {
			continue
		}
		at := slices.IndexFunc(scripts, func(script string) bool { return unicode.Is(unicode.Scripts[script], r) })
		if at < 0 {
			return "has letters of an uncommon script"
		}
		has = append(has, scripts[at])
	}
	mixed := len(has) > 1 && !slices.ContainsFunc(together, func(set []string) bool {
		return !slices.ContainsFunc(has, func(script string) bool { return !slices.Contains(set, script) })
	})
	switch {
	case mixed:
		return "mixes " + strings.Join(has[:len(has)-1], ", ") + " and " + has[len(has)-1] + " letters and can be mistaken for another"
	case letters > 0 && alike == letters:
		return "has only letters that look like Latin ones and can be mistaken for another"
	}
	return ""
}
