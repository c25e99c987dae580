package people

// distance is the optimal string alignment distance of two words in runes: the
// least number of letters inserted, deleted, replaced, or swapped with their
// neighbour, where no letter is touched twice (G. Navarro, A Guided Tour to
// Approximate String Matching, 2001).
func distance(a, b []rune) int {
	if len(a) < len(b) {
		a, b = b, a
	}
	var buffer [3 * 33]int
	rows := buffer[:]
	if n := 3 * (len(b) + 1); n > len(rows) {
		rows = make([]int, n)
	}
	n := len(b) + 1
	before, last, row := rows[:n], rows[n:2*n], rows[2*n:3*n]
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
