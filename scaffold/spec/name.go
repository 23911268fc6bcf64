package spec

import (
	"strings"

	"github.com/jinzhu/inflection"
)

// longest is the maximum length of a name. The name of an index contains those of the
// table and the column, and PostgreSQL truncates names at 63 bytes.
const longest = 48

// Words splits a name, written in any case, into its lower-case words: BlogPost, blog-post
// and blog_post all become "blog", "post". It returns nil for an invalid name: one that is
// empty, too long, does not begin with a letter, or contains anything but ASCII letters,
// digits, _ and -.
func Words(name string) []string {
	if name == "" || len(name) > longest || !isLetter(name[0]) {
		return nil
	}
	var words []string
	start := 0
	cut := func(end int) {
		if end > start {
			words = append(words, strings.ToLower(name[start:end]))
		}
		start = end
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_' || c == '-':
			cut(i)
			start = i + 1
		case isUpper(c):
			// A capital begins a word after a lower-case letter or a digit (blogPost), and
			// at the end of an acronym (HTTPServer).
			after := i > 0 && !isUpper(name[i-1])
			ends := i > 0 && isUpper(name[i-1]) && i+1 < len(name) && isLower(name[i+1]) &&
				!(name[i+1] == 's' && i+2 == len(name)) // URLs, IDs
			if after || ends {
				cut(i)
			}
		case !isLower(c) && !isDigit(c):
			return nil
		}
	}
	cut(len(name))
	return words
}

// Snake returns the name in snake_case, or "" for an invalid name.
func Snake(name string) string { return strings.Join(Words(name), "_") }

func isUpper(c byte) bool  { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool  { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return isUpper(c) || isLower(c) }

// Singular returns the singular of a snake_case name, inflecting its last word.
func Singular(name string) string { s, _ := inflect(name); return s }

// Plural returns the plural of a snake_case name, inflecting its last word.
func Plural(name string) string { _, p := inflect(name); return p }

// inflect returns the singular and the plural of a name given in either.
func inflect(name string) (singular, plural string) {
	head, last := "", name
	if i := strings.LastIndexByte(name, '_'); i >= 0 {
		head, last = name[:i+1], name[i+1:]
	}
	singular, plural = inflectWord(last)
	return head + singular, head + plural
}

func inflectWord(word string) (singular, plural string) {
	for _, pair := range corrections {
		if word == pair[0] || word == pair[1] {
			return pair[0], pair[1]
		}
	}
	// The library takes every final s for a plural. Treat words in -us and -ss as
	// singulars unless listed in corrections.
	if strings.HasSuffix(word, "us") || strings.HasSuffix(word, "ss") {
		return word, word + "es"
	}
	singular = inflection.Singular(word)
	if strings.HasSuffix(word, "ies") && inflection.Plural(singular) != word {
		singular = strings.TrimSuffix(word, "s")
	}
	plural = inflection.Plural(singular)
	if singular != word && plural != word {
		singular, plural = word, inflection.Plural(word)
	}
	return singular, plural
}

// corrections are pairs of singular and plural of which the inflection library gets at
// least one wrong.
var corrections = [][2]string{
	{"data", "data"}, {"media", "media"}, {"metadata", "metadata"},
	{"news", "news"}, {"series", "series"}, {"species", "species"},
	{"analytics", "analytics"}, {"physics", "physics"}, {"mathematics", "mathematics"}, {"statistics", "statistics"},
	{"sms", "sms"}, {"gps", "gps"}, {"dns", "dns"}, {"tls", "tls"}, {"css", "css"}, {"aws", "aws"},
	{"kudos", "kudos"}, {"chaos", "chaos"}, {"ethos", "ethos"}, {"goods", "goods"}, {"clothes", "clothes"},
	{"pants", "pants"}, {"trousers", "trousers"}, {"scissors", "scissors"},
	{"staff", "staff"}, {"feedback", "feedback"}, {"software", "software"}, {"hardware", "hardware"}, {"firmware", "firmware"},
	{"advice", "advice"}, {"music", "music"}, {"inventory", "inventories"},
	{"gas", "gases"}, {"lens", "lenses"}, {"canvas", "canvases"}, {"atlas", "atlases"}, {"bias", "biases"}, {"alias", "aliases"},
	{"bus", "buses"}, {"bonus", "bonuses"}, {"campus", "campuses"}, {"census", "censuses"}, {"focus", "focuses"},
	{"status", "statuses"}, {"virus", "viruses"}, {"plus", "pluses"}, {"minus", "minuses"}, {"corpus", "corpora"},
	{"radius", "radii"}, {"stimulus", "stimuli"}, {"genus", "genera"}, {"cactus", "cacti"}, {"octopus", "octopuses"}, {"menu", "menus"},
	{"base", "bases"}, {"basis", "bases"}, {"oasis", "oases"}, {"axis", "axes"}, {"axe", "axes"}, {"iris", "irises"},
	{"cafe", "cafes"}, {"safe", "safes"}, {"cache", "caches"}, {"niche", "niches"}, {"ache", "aches"}, {"creche", "creches"},
	{"stomach", "stomachs"}, {"epoch", "epochs"}, {"monarch", "monarchs"},
	{"leave", "leaves"}, {"leaf", "leaves"}, {"sleeve", "sleeves"}, {"glove", "gloves"}, {"curve", "curves"}, {"wave", "waves"}, {"drive", "drives"},
	{"olive", "olives"}, {"love", "loves"}, {"five", "fives"}, {"valve", "valves"}, {"nerve", "nerves"}, {"reserve", "reserves"},
	{"slave", "slaves"}, {"cave", "caves"}, {"grave", "graves"}, {"save", "saves"}, {"reprieve", "reprieves"},
	{"tie", "ties"}, {"pie", "pies"}, {"lie", "lies"}, {"die", "dies"}, {"calorie", "calories"}, {"zombie", "zombies"}, {"selfie", "selfies"},
	{"cookie", "cookies"}, {"movie", "movies"}, {"rookie", "rookies"}, {"brownie", "brownies"}, {"hoodie", "hoodies"}, {"smoothie", "smoothies"}, {"genie", "genies"},
	{"human", "humans"}, {"german", "germans"}, {"roman", "romans"}, {"talisman", "talismans"}, {"shaman", "shamans"}, {"ottoman", "ottomans"}, {"caiman", "caimans"},
	{"hero", "heroes"}, {"potato", "potatoes"}, {"echo", "echoes"}, {"veto", "vetoes"},
	{"shoe", "shoes"}, {"photo", "photos"}, {"passerby", "passersby"}, {"dwarf", "dwarfs"},
}

// List splits a list as the user types it, separated by / or by commas, which PowerShell
// turns into spaces.
func List(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == ',' })
}
