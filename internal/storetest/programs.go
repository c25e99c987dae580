package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"actionlog"
)

const (
	everyProgram    = "1-60" // the seeds of Run
	stepsOfPrograms = 30
)

// Programs runs random programs on a Model and on stores that open returns
// empty, and compares every answer. A program follows from its seed alone. One
// that fails is printed, without the steps that do not matter. Seeds are a range,
// "1-60", or one; the environment's STORETEST_SEEDS names others.
func Programs(t *testing.T, seedRange string, open func(t *testing.T) actionlog.Store) {
	first, last, err := seeds(cmp.Or(os.Getenv("STORETEST_SEEDS"), seedRange))
	if err != nil {
		t.Fatal(err)
	}
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			program := randomProgram(seed)
			at, err := runProgram(program, open(t))
			if err == nil {
				return
			}
			program, err = shrink(program[:at+1], err, func() actionlog.Store { return open(t) })
			t.Fatalf("the program of seed %d goes wrong at its last step: %v\n%s", seed, err, listing(program))
		})
	}
}

func seeds(wanted string) (first, last uint64, err error) {
	from, to, isRange := strings.Cut(wanted, "-")
	if first, err = strconv.ParseUint(from, 10, 32); err == nil && isRange {
		last, err = strconv.ParseUint(to, 10, 32)
	} else {
		last = first
	}
	if err != nil {
		return 0, 0, fmt.Errorf("STORETEST_SEEDS=%q is not a seed or a range as 1-500", wanted)
	}
	return first, last, nil
}

// step is one operation of a program. It runs on both stores and says how what
// they answer differs.
type step interface {
	run(model *Model, store actionlog.Store) error
	String() string
}

// runProgram returns the step that goes wrong.
func runProgram(program []step, store actionlog.Store) (at int, err error) {
	model := NewModel()
	for i, s := range program {
		if err := s.run(model, store); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// shrink leaves out the steps, and then the written items, without which the
// program goes wrong as well.
func shrink(program []step, err error, open func() actionlog.Store) ([]step, error) {
	try := func(shorter []step) bool {
		at, e := runProgram(shorter, open())
		if e != nil {
			program, err = shorter[:at+1], e
		}
		return e != nil
	}
	for i := len(program) - 2; i >= 0; i-- {
		try(slices.Delete(slices.Clone(program), i, i+1))
		i = min(i, len(program)-1)
	}
	for i := len(program) - 1; i >= 0; i = min(i, len(program)) - 1 {
		w, ok := program[i].(writeStep)
		for n := len(w.items) - 1; ok && n >= 0 && i < len(program); n-- {
			shorter := slices.Clone(program)
			less := writeStep{w.name, slices.Delete(slices.Clone(w.items), n, n+1)}
			if shorter[i] = less; try(shorter) {
				w = less
			}
		}
	}
	return program, err
}

func listing(program []step) string {
	var b strings.Builder
	for i, s := range program {
		fmt.Fprintf(&b, "%3d  %s\n", i+1, s)
	}
	return b.String()
}

// randomProgram makes the program of a seed.
func randomProgram(seed uint64) []step {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 0))}
	program := []step{w.write()}
	for len(program) < stepsOfPrograms {
		program = append(program, w.step())
	}
	return program
}

func (w *world) step() step {
	switch w.IntN(14) {
	case 0, 1, 2:
		return w.write()
	case 3:
		return w.repeat()
	case 4, 5, 6:
		return walkStep{w.query(), w.order(), pick(w, 1, 2, 3, 7, 50)}
	case 7:
		return countStep{w.query(), pick[int64](w, 0, 1, 3, 100)}
	case 8:
		return w.get()
	case 9:
		return histogramStep{w.query(), w.edges(), pick(w, "", actionlog.FieldCategory, actionlog.FieldOutcome, actionlog.FieldActorKind,
			actionlog.FieldChannel)}
	case 10:
		return facetStep{w.query(), facets[w.IntN(len(facets))], pick(w, 1, 2, 100)}
	case 11:
		return scanStep{w.query(), w.order(), pick(w, 0, 0, 1, 5)}
	case 12:
		return w.lookup()
	}
	if w.IntN(3) > 0 {
		return w.lookup()
	}
	return w.drop()
}

func pick[T any](w *world, list ...T) T { return list[w.IntN(len(list))] }
