package actionlog

import "runtime"

// yieldEvery is after how many actions Yield yields.
const yieldEvery = 8

// Yield lets whoever waits for a processor, such as a request that has just come in, go first:
// whoever works through many actions calls it with the number of each, and it does so after
// every eighth. A goroutine that computes keeps its processor for ten milliseconds else.
func Yield(number int) {
	if number%yieldEvery == 0 {
		runtime.Gosched()
	}
}
