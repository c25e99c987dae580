package people

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed nicknames.txt
var nicknamesText string

// nicknameGroups maps a name to the groups of names that mean the same person.
var nicknameGroups = sync.OnceValue(func() map[string][]int {
	groups := map[string][]int{}
	for i, line := range strings.Split(nicknamesText, "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, name := range strings.Fields(line) {
			groups[name] = append(groups[name], i)
		}
	}
	return groups
})

func areNicknames(a, b string) bool {
	groups := nicknameGroups()
	for _, i := range groups[a] {
		for _, j := range groups[b] {
			if i == j {
				return true
			}
		}
	}
	return false
}

// nicknamesOf lists the names of the groups of a name, itself included.
func nicknamesOf(name string) (names []string) {
	groups := nicknameGroups()
	if len(groups[name]) == 0 {
		return nil
	}
	lines := strings.Split(nicknamesText, "\n")
	for _, i := range groups[name] {
		names = append(names, strings.Fields(lines[i])...)
	}
	return names
}
