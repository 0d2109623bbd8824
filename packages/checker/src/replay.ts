// SPDX-License-Identifier: MIT
import { CheckError } from './errors.js';
import type { Execution } from './explore/execution.js';
import type { SteeredEvent, Steering } from './explore/steered.js';
import type { NamedEvent, Pick, Segment } from './replay-token.js';
import { SitesAsMet } from './sites.js';

/** Leads the explorer through the execution that a token names; says where the program does something else. */
export class Replay implements Steering {
  prefer: string | null = null;
  private readonly segments: readonly Segment[];
  private sites = new Map<string, SitesAsMet>();
  /** Names of the events made, in the order in which they were. */
  private names: string[] = [];
  private readonly lenient: boolean;
  readonly ended: (execution: Execution) => void;
  private at = 0;
  /** Of the segment: events by site. */
  private done = new Map<string, number>();

  /** `lenient`: what the model forbids is done all the same. */
  constructor(segments: readonly Segment[], lenient = false, ended: (execution: Execution) => void = () => {}) {
    this.ended = ended;
    this.segments = segments;
    this.lenient = lenient;
  }

  begin(): void {
    this.at = 0;
    this.done = new Map();
    this.sites = new Map();
    this.names = [];
    this.prefer = this.segments.at(-1)?.thread ?? null;
  }

  thread(): string | null {
    return this.segments[this.at]?.thread ?? null;
  }

  stops(thread: string): never {
    throw this.mismatch(
      `${thread} ends, waits, or is not there, before it comes to ${words(this.segments[this.at].until)}`,
    );
  }

  made({ thread, site }: SteeredEvent, before: readonly SteeredEvent[]): number | 'initial' | null {
    const sites = this.sites.get(thread) ?? new SitesAsMet();
    this.sites.set(thread, sites);
    const name = sites.name(site);
    this.names.push(name);
    const segment: Segment | undefined = this.segments[this.at];
    if (segment?.thread !== thread) return null;
    const nth = (this.done.get(name) ?? 0) + 1;
    this.done.set(name, nth);
    const pick = segment.picks.find((one) => one.site === name && one.nth === nth);
    const source = pick === undefined ? null : this.sourceOf(pick, before);
    if (segment.until.site === name && segment.until.nth === nth) {
      this.at++;
      this.done = new Map();
    }
    return source;
  }

  refused({ thread }: SteeredEvent): void {
    if (this.lenient) return;
    throw this.mismatch(`the model does not allow ${thread} to do ${this.names.at(-1)} as the token says`);
  }

  private sourceOf({ source, site }: Pick, before: readonly SteeredEvent[]): number | 'initial' {
    if (source === null) return 'initial';
    if (typeof source === 'number') return source;
    let left = source.nth;
    for (const [i, event] of before.entries())
      if (event.thread === source.thread && this.names[i] === source.site && --left === 0) return i;
    throw this.mismatch(`${site} is to see ${words(source)} of ${source.thread}, which has not happened`);
  }

  private mismatch(what: string): CheckError {
    const at = Math.min(this.at, this.segments.length - 1) + 1;
    return new CheckError(
      'replay-mismatch',
      `the replay token does not fit the program, at part ${at} of ${this.segments.length}: ${what}`,
    );
  }
}

const words = ({ site, nth }: NamedEvent): string => (nth === 1 ? site : `${site} (number ${nth})`);
