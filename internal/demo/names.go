package demo

import (
	"math/rand/v2"

	"github.com/brianvoe/gofakeit/v7"
)

// culture is given names and family names that go together. English names come
// from gofakeit; no Go library that is kept has those of other cultures.
type culture struct {
	given, family []string
	familyFirst   bool
}

var cultures = []culture{
	{given: []string{"Wei", "Xiaoming", "Lihua", "Jun", "Mei", "Yifan", "Haoran", "Jing"}, family: []string{"Wang", "Li", "Zhang", "Liu", "Chen", "Zhao", "Huang", "Wu"}},
	{given: []string{"小明", "丽华", "伟", "静", "浩然", "美玲"}, family: []string{"王", "李", "张", "刘", "陈", "赵"}, familyFirst: true},
	{given: []string{"Иван", "Анна", "Дмитрий", "Екатерина", "Сергей", "Ольга", "Михаил"}, family: []string{"Петров", "Кузнецов", "Соколов", "Лебедев", "Морозов"}},
	{given: []string{"Sofía", "José", "María", "Íñigo", "Lucía", "Joaquín", "Belén"}, family: []string{"Hernández-López", "García", "Muñoz", "Núñez", "Peña", "Ibáñez"}},
	{given: []string{"Łukasz", "Małgorzata", "Zofia", "Paweł", "Jiří", "Božena", "Šárka"}, family: []string{"Wiśniewski", "Dąbrowska", "Nowák", "Dvořák", "Wójcik"}},
	{given: []string{"Åsa", "Björn", "Søren", "Freya", "Jörg", "Käthe", "Günther"}, family: []string{"Ångström", "Sørensen", "Müller", "Größmann", "Lindqvist", "Jørgensen"}},
	{given: []string{"Fatima", "Muhammad", "Aisha", "Omar", "Layla", "Yusuf", "Zainab"}, family: []string{"Al-Zahra", "El-Sayed", "Haddad", "Khalil", "bin Rashid"}},
	{given: []string{"محمد", "فاطمة", "عائشة", "عمر"}, family: []string{"الزهراء", "حداد", "خليل"}},
	{given: []string{"Priya", "Arjun", "Lakshmi", "Rahul", "Ananya", "Vikram"}, family: []string{"Sharma", "Iyer", "Patel", "Banerjee", "Subramaniam"}},
	{given: []string{"Aoife", "Seán", "Niamh", "Ciarán", "Siobhán"}, family: []string{"O'Brien", "Ó Súilleabháin", "McCarthy", "O’Connor", "Mac Giolla"}},
	{given: []string{"Ngọc", "Thị Lan", "Đức", "Quỳnh"}, family: []string{"Nguyễn", "Trần", "Phạm", "Lê"}, familyFirst: true},
	{given: []string{"Chiamaka", "Olúwaṣeun", "Kwame", "Thandiwe", "Amina"}, family: []string{"Adébáyò", "Okafor", "Mensah", "Nkosi", "Diallo"}},
	{given: []string{"太郎", "花子", "さくら", "健"}, family: []string{"山田", "佐藤", "鈴木"}, familyFirst: true},
	{given: []string{"Γιώργος", "Ελένη", "Δημήτρης"}, family: []string{"Παπαδόπουλος", "Νικολάου"}},
	{given: []string{"Jean-Luc", "Éloïse", "Anne-Marie", "Zoé", "François"}, family: []string{"Lefèvre", "D'Arcy", "Bézier", "de la Fontaine", "Dupont"}},
}

// name invents somebody's name.
func name(rng *rand.Rand, english *gofakeit.Faker) string {
	if rng.IntN(100) < 45 {
		return english.FirstName() + " " + english.LastName()
	}
	c := pick(rng, cultures)
	given, family := pick(rng, c.given), pick(rng, c.family)
	if c.familyFirst && family[0] >= 0x80 && len([]rune(family)) <= 2 {
		return family + given
	}
	if c.familyFirst {
		return family + " " + given
	}
	return given + " " + family
}
