// What a page says of itself while it is measured. It is put into the page before its own
// scripts run, and reads only what somebody could see.

/** Runs in the page, before everything else. */
export function probe() {
  let start; // when somebody did something last
  let begun; // of a measurement: the page has begun to answer
  let done;
  for (const kind of ["keydown", "pointerdown", "click"]) addEventListener(kind, (e) => e.isTrusted && (start = e.timeStamp), true);
  const state = () => {
    if (document.querySelector('.list[aria-busy="true"], .center .loading')) return "busy";
    return document.querySelector(".rows .row:not(.end), .nothing") ? "there" : "none";
  };
  const look = () => {
    if (!done) return;
    const now = state();
    if (now !== "there") begun = true;
    else if (begun) {
      const tell = done;
      done = undefined;
      // After the frame that shows it.
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => tell(performance.now() - start);
        channel.port2.postMessage(0);
      });
    }
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-busy"] });
  const expect = (from, already) => {
    start = from;
    begun = already;
    window.painted = new Promise((tell) => (done = tell));
  };
  expect(0, true); // the first list, since the navigation began
  window.expectList = () => expect(undefined, false);

  const long = [];
  try {
    new PerformanceObserver((list) => long.push(...list.getEntries().map((e) => e.duration))).observe({ entryTypes: ["longtask"] });
  } catch {
    long.push(NaN);
  }
  window.frames_ = {
    begin() {
      long.length = 0;
      const gaps = (this.gaps = []);
      let before = performance.now();
      const frame = (now) => {
        if (this.gaps !== gaps) return;
        gaps.push(now - before);
        before = now;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame((now) => {
        before = now;
        requestAnimationFrame(frame);
      });
    },
    end() {
      const gaps = this.gaps;
      this.gaps = undefined;
      return { gaps, long: [...long] };
    },
  };
}

export const p = (values, share) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
};
export const ms = (x) => (x === undefined ? "–" : x >= 9.95 ? x.toFixed(0) : x.toFixed(1)).padStart(6);

/** A line of figures: the median and the worst. */
export function line(what, values, more = "") {
  console.log(`| ${what.padEnd(74)} | ${ms(p(values, 0.5))} | ${ms(Math.max(...values))} | ${String(values.length).padStart(3)} |${more}`);
}

/** A line on frames: how many there were, the longest between two, those of more than 50 ms, tasks of more than 50 ms. */
export function frames(what, { gaps, long }) {
  console.log(`| ${what.padEnd(52)} | ${String(gaps.length).padStart(6)} | ${ms(p(gaps, 0.5))} | ${ms(p(gaps, 0.99))} | ${ms(Math.max(...gaps))} | ${String(gaps.filter((g) => g > 50).length).padStart(5)} | ${String(long.length).padStart(5)} | ${ms(Math.max(0, ...long))} |`);
}
