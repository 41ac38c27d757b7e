// A command that does something now and then, and ends cleanly when it is asked to.
const everyMs = Number(process.env.EVERY_MS ?? 5000);
let ticks = 0;
const timer = setInterval(() => console.log(`tick ${++ticks}`), everyMs);
console.log(`ticking every ${everyMs} ms`);
process.once('SIGTERM', () => {
  clearInterval(timer);
  console.log(`stopped after ${ticks} ticks`);
});
