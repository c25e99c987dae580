package demo

import (
	"fmt"
	"math/rand/v2"

	"github.com/brianvoe/gofakeit/v7"
	"github.com/gosimple/unidecode"
)

// institution is who and what there is in it.
type institution struct {
	named
	domain  string
	people  []person // the first few administer
	staff   []person // the platform's own
	keys    []apiKey
	courses []course
	agents  []string
}

// apiKey is a program and the person on whose behalf it calls.
type apiKey struct{ program, holder person }

type course struct {
	titled
	classes []titled
}

// world invents the institutions.
func world(seed uint64) []*institution {
	rng := rand.New(rand.NewPCG(seed, 0))
	english := gofakeit.New(seed + 1)
	staff := []person{
		{Kind: "staff", ID: "s-3", Name: "Robin Helper", Email: "robin@platform.example", Roles: []string{"support"}},
		{Kind: "staff", ID: "s-4", Name: "Dana Keeper", Email: "dana@platform.example", Roles: []string{"support"}},
		{Kind: "staff", ID: "s-9", Name: "Kim Yoon", Email: "kim.yoon@platform.example", Roles: []string{"engineer"}},
	}
	var all []*institution
	for _, size := range []struct {
		id, name        string
		people, courses int
	}{{"demo-academy", "Demo Academy", 600, 40}, {"harbour-college", "Harbour College", 250, 18}, {"sunrise-institute", "Sunrise Institute", 90, 8}} {
		x := &institution{named: named{size.id, size.name}, domain: size.id + ".example", staff: staff}
		if len(all) == 0 {
			x.people = knownPeople()
			x.courses = knownCourses()
		}
		for len(x.people) < size.people {
			x.people = append(x.people, x.somebody(len(x.people), name(rng, english)))
		}
		for len(x.courses) < size.courses {
			x.courses = append(x.courses, x.another(rng, len(x.courses)))
		}
		for i, program := range []string{"Provisioning script", "Timetable sync", "SIS connector"} {
			x.keys = append(x.keys, apiKey{person{Kind: "api_key", ID: fmt.Sprintf("key-%d", 7+i), Name: program}, x.people[5+i]})
		}
		for range 12 {
			x.agents = append(x.agents, english.UserAgent())
		}
		all = append(all, x)
	}
	return all
}

// knownPeople are those that the documentation speaks of.
func knownPeople() (people []person) {
	for i, p := range [][2]string{
		{"Melody Wang", "melody.wang"}, {"Łukasz Ångström", "lukasz.angstrom"}, {"Aoife O'Brien", "aoife.obrien"}, {"Sofía Hernández-López", "sofia.hernandez"},
		{"Иван Петров", "ivan.petrov"}, {"王小明", "xiaoming.wang"}, {"Fatima Al-Zahra", "fatima.alzahra"}, {"John Smith", "john.smith"},
	} {
		people = append(people, person{Kind: "user", ID: fmt.Sprintf("u-%d", 101+i), Name: p[0], Email: p[1] + "@demo-academy.example", ExternalID: fmt.Sprintf("E-%d", 2001+i)})
	}
	return people
}

func knownCourses() []course {
	titles := []string{"Arts and Craft", "Learning Analytics", "Éléments de géométrie", "Data Structures in Go"}
	var courses []course
	for i, t := range titles {
		courses = append(courses, course{titled{fmt.Sprintf("c-%d", 11+i), t}, []titled{{fmt.Sprintf("k-%d", 100+i), "Autumn group"}, {fmt.Sprintf("k-%d", 200+i), "Evening class"}}})
	}
	return courses
}

func (x *institution) somebody(i int, name string) person {
	address := ""
	for _, r := range unidecode.Unidecode(name) {
		switch {
		case 'A' <= r && r <= 'Z':
			address += string(r + 'a' - 'A')
		case 'a' <= r && r <= 'z':
			address += string(r)
		case r == ' ' && address != "" && address[len(address)-1] != '.':
			address += "."
		}
	}
	return person{Kind: "user", ID: fmt.Sprintf("u-%d", 101+i), Name: name, Email: fmt.Sprintf("%s%d@%s", address, i, x.domain), ExternalID: fmt.Sprintf("E-%d", 2001+i)}
}

var (
	subjects = []string{"Biology", "Statistics", "Nursing", "Modern History", "Organic Chemistry", "Philosophy", "Marketing", "Linear Algebra", "Creative Writing",
		"Machine Learning", "Español intermedio", "Thermodynamik", "Ethics", "Public Health", "Music Theory", "Graphic Design", "日本語入門", "Project Management", "World Literature"}
	levels = []string{"Introduction to %s", "%s 101", "Advanced %s", "%s for Teachers", "Topics in %s", "%s: Practical"}
	groups = []string{"Monday 8 AM", "Tuesday evening", "Group A", "Group B", "Online", "Autumn intake", "Weekend"}
)

func (x *institution) another(rng *rand.Rand, i int) course {
	c := course{titled: titled{fmt.Sprintf("c-%d", 11+i), fmt.Sprintf(pick(rng, levels), pick(rng, subjects))}}
	for j := range 1 + rng.IntN(4) {
		c.classes = append(c.classes, titled{fmt.Sprintf("k-%d", 300+10*i+j), pick(rng, groups)})
	}
	return c
}
