// SPDX-License-Identifier: GPL-2.0-only

/*
 * Noise, as testers of concurrent programs call it: a thread stops before an access, for as long as another one takes for a few accesses or for all that it has to
 * do. A window of two instructions is as wide then as any. In most instances a thread stops once, at an access that is drawn among the first ones; in some, now
 * and then; in some not at all, as what takes an undisturbed run is to be seen too. What the store buffer holds is out before the thread goes on, so this looks for
 * interleavings, not for reordering.
 */

/** Accesses among which the one is drawn at which a thread stops: first its first ones only, then more. */
const AMONG = [8, 16, 32, 64, 128] as const;
/** Steps that a thread stops for, at most. */
const LONGEST = [16, 64, 256, 1024, 4096] as const;
/** In an instance with stops now and then, one of so many accesses. */
const NOW_AND_THEN = 16;
const NEVER = 2 ** 30;

let random = 1;
/** Accesses until the next stop. */
let left = NEVER;
let longest = 0;
let often = false;
let sleeps = false;
let sink = 1;
const idle = new Int32Array(new SharedArrayBuffer(4));
/** Milliseconds that a thread sleeps, at most. */
const SLEEP = 0.5;

function draw(below: number): number {
  random ^= random << 13;
  random ^= random >>> 17;
  random ^= random << 5;
  return (random >>> 0) % below;
}

/** Before a run: what this thread does follows from the seed. */
export function seedNoise(seed: number): void {
  random = seed | 1;
  left = NEVER;
}

/** Before each instance. */
export function drawNoise(): void {
  const kind = draw(16);
  often = kind === 1 || kind === 2 || kind === 3;
  sleeps = kind === 4;
  longest = LONGEST[draw(LONGEST.length)];
  left = kind > 12 ? NEVER : often ? draw(NOW_AND_THEN) : draw(AMONG[draw(AMONG.length)]);
}

/** Behind each instance: claims are checked undisturbed. */
export function endNoise(): void {
  left = NEVER;
}

/** Before each access, as `globalThis.locklessOnPrimitive`. */
export function makeNoise(): void {
  if (--left >= 0) return;
  left = often ? draw(NOW_AND_THEN) : NEVER;
  if (sleeps) Atomics.wait(idle, 0, 0, (SLEEP * draw(longest)) / longest);
  else for (let steps = draw(longest); steps > 0; steps--) sink = (Math.imul(sink, 5) + steps) | 0;
}
