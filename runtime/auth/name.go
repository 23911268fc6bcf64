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
// restrictive" level of Unicode's UTS 39: one that mixes scripts not written together,
// uses a script not in common use, contains invisible characters, or consists only of
// letters that look Latin. It returns nil for a valid name. Names that differ only in
// case or width are equal in their folded form; see [db.UniqueNoCase].
func NameDetails(field, name string) []fault.Detail {
	why := confusable(name)
	if why == "" {
		return nil
	}
	return nameDetail(field, why)
}

func nameDetail(field, why string) []fault.Detail {
	words := strings.ReplaceAll(field, "_", " ")
	return []fault.Detail{{Field: field, Rule: "confusable", Message: strings.ToUpper(words[:1]) + words[1:] + " " + why}}
}

// AddressDetails is [NameDetails] for an e-mail address, each part of which is checked
// separately: ivan@пример.example is valid. It also rejects invisible characters, which
// [db.Fold] removes: such an address would be equal to another one, whose owner does
// not get its mail.
func AddressDetails(field, address string) []fault.Detail {
	if strings.ContainsFunc(address, invisible) {
		return nameDetail(field, "has invisible characters")
	}
	for part := range strings.FieldsFuncSeq(address, func(r rune) bool { return r == '@' || r == '.' }) {
		if details := NameDetails(field, part); details != nil {
			return details
		}
	}
	return nil
}

// invisible reports whether a character of an address is invisible.
func invisible(r rune) bool {
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
		proposal = strings.TrimSpace(string(runes[:min(len(runes), 40)])) // leave room for a number
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

// mixable are the scripts that may be mixed in one word.
var mixable = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Bopomofo"},
	{"Latin", "Han", "Hangul"},
}

// scripts are those in common use (UAX 31, table 5).
var scripts = strings.Fields("Latin Arabic Armenian Bengali Bopomofo Cyrillic Devanagari Ethiopic Georgian Greek Gujarati Gurmukhi Hangul Han " +
	"Hebrew Hiragana Kannada Katakana Khmer Lao Malayalam Myanmar Oriya Sinhala Tamil Telugu Thaana Thai Tibetan")

// lookalikes are letters of other scripts that look like Latin ones.
const lookalikes = "асԁеһіјӏорԛѕԝхуѵАВЕЅІЈКМНОРСТУХԚԜӀ" + "ονραυικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "օոսհյ"

// confusable returns how a name can be confused with another, or "".
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
	mixed := len(has) > 1 && !slices.ContainsFunc(mixable, func(set []string) bool {
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
