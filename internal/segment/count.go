package segment

// Counted is a value of a column and how many rows have it.
type Counted struct {
	Value string // "" for rows without one
	Staff bool   // of an actor of the platform's staff
	Label Label
	Count int64
}

// CountValues calls each with the values that rows of a set in [from, to) have of a column, and how many have each.
func (r *Reader) CountValues(column int, set *Set, institution, from, to int, each func(Counted) error) error {
	total := set.Count(from, to)
	if total == 0 || r.err != nil {
		return r.err
	}
	if c := r.columns[column]; c.width == 0 {
		return r.emit(column, c.constant, int64(total), each)
	}
	first, end := r.codesOf(column, institution)
	if r.err != nil {
		return r.err
	}
	counts := make([]int32, end-first+1) // 0 is none
	r.countCodes(column, set, max(from, set.Low), min(to, set.High), uint32(first), counts)
	if r.err != nil {
		return r.err
	}
	if counts[0] > 0 {
		if err := each(Counted{Count: int64(counts[0])}); err != nil {
			return err
		}
	}
	return r.emitAll(column, first, counts[1:], each)
}

// codesOf are the codes, less one, of an institution: first ≤ code-1 < end.
func (r *Reader) codesOf(column, institution int) (first, end int) {
	t := r.table(partValues + column)
	if !scoped(column) {
		return 0, t.entries
	}
	return t.placeOf(ordinal(institution)), t.placeOf(ordinal(institution + 1))
}

// countCodes counts the codes of the rows of a set; the first code of counts is first+1, and 0 is 0.
func (r *Reader) countCodes(column int, set *Set, from, to int, first uint32, counts []int32) {
	width := r.columns[column].width
	for no := from / chunkRows; no <= (to-1)/chunkRows; no++ {
		begin, end := max(from, no*chunkRows), min(to, (no+1)*chunkRows)
		if set.none(begin, end) {
			continue
		}
		codes := r.chunkOf(column, no)
		if r.err != nil || len(codes) < (end-no*chunkRows)*width {
			r.malformed("a column")
			return
		}
		count := func(row int) bool {
			code := codeAt(codes[(row-no*chunkRows)*width:], width)
			if code > 0 {
				code -= first
			}
			if int(code) >= len(counts) {
				return false
			}
			counts[code]++
			return true
		}
		for row := set.First(begin, end); row >= 0 && row < end; {
			if !count(row) {
				r.malformed("a code that stands for nothing")
				return
			}
			if set.all {
				row++
			} else {
				row = set.First(row+1, end)
			}
		}
	}
}

// emit calls each with the value of a code.
func (r *Reader) emit(column int, code uint32, count int64, each func(Counted) error) error {
	if code == 0 {
		return each(Counted{Count: count})
	}
	c := r.table(partValues + column).at(int(code) - 1)
	if c.beyond {
		r.malformed("a code that stands for nothing")
		return r.err
	}
	value, staff := valueOf(column, c.key)
	return each(Counted{value, staff, parseLabel(c.value), count})
}

// emitAll calls each with the values, from a place on, that were counted.
func (r *Reader) emitAll(column, first int, counts []int32, each func(Counted) error) error {
	var c *tableCursor
	for i, n := range counts {
		if n == 0 {
			continue
		}
		if c == nil || first+i-c.place > 256 {
			c = r.table(partValues + column).at(first + i)
		}
		for !c.beyond && c.place < first+i {
			c.next()
		}
		if c.beyond || r.err != nil {
			r.malformed("a code that stands for nothing")
			return r.err
		}
		value, staff := valueOf(column, c.key)
		if err := each(Counted{value, staff, parseLabel(c.value), int64(n)}); err != nil {
			return err
		}
	}
	return r.err
}

// Labels calls each with all values of an institution in a column, without counting them.
func (r *Reader) Labels(column, institution int, each func(Counted)) error {
	first, end := r.codesOf(column, institution)
	if first >= end || r.err != nil {
		return r.err
	}
	for c := r.table(partValues + column).at(first); !c.beyond && c.place < end; c.next() {
		value, staff := valueOf(column, c.key)
		each(Counted{Value: value, Staff: staff, Label: parseLabel(c.value)})
	}
	return r.err
}
