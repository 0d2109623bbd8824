// SPDX-License-Identifier: MIT
import { type Guard, guards, PRIMITIVES } from '@lockless/cpu';
import { distance } from 'fastest-levenshtein';
import { CheckError } from './errors.js';
import type { AccessSite, Frame } from './explore/execution.js';
import type { Site, StepFrame } from './result.js';
import { locationOf } from './source-position.js';
import { WEAKENED } from './weaken.js';

/** One place in the code with a primitive; several {@link AccessSite}s are there when it is reached in several ways. */
interface Place {
  readonly code: number;
  readonly frame: Frame;
}

const UNKNOWN: Frame = { name: '', file: '', line: 0, column: 0 };

export const stepFrames = (frames: readonly Frame[]): StepFrame[] =>
  frames.map((frame) => ({ name: frame.name, location: locationOf(frame) }));

/** The kernel function of a frame; a module's own code is called by its file. */
const functionOf = ({ name, file }: Frame): string =>
  name !== '' ? name : file.slice(file.lastIndexOf('/') + 1).replace(/\..*/, '') || 'anonymous';

const bySource = (a: Place, b: Place): number =>
  a.frame.file.localeCompare(b.frame.file) || a.frame.line - b.frame.line || a.frame.column - b.frame.column;

/**
 * The ordering sites of a program, as far as its executions met them, and which of them are left out. A site is called by its kernel function and
 * primitive; where a function has several they are numbered by their position in the source, so a name can change its place when one more is
 * met: then {@link moved} is true and the exploration has to begin anew, with the same table.
 */
export class SiteTable {
  /** True when an answer that was given is not right any more. */
  moved = false;
  private readonly places = new Map<string, Place[]>();
  private readonly known = new Set<string>();
  private readonly answers: { readonly place: Place; readonly weaker: boolean }[] = [];
  private readonly without: readonly string[];
  /** Names of the primitives of what is left out. */
  private readonly primitives: ReadonlySet<string>;

  /** `without`: names of sites only, no guards. */
  constructor(without: readonly string[]) {
    this.without = without;
    this.primitives = new Set(without.map((name) => name.replace(/^.*\.|#.*$/g, '')));
  }

  /** Whether any site is left out, so that each one met has to be asked about. */
  get asks(): boolean {
    return this.without.length > 0;
  }

  /** Whether some access by that primitive may be left without its ordering. */
  mayWeaken(code: number): boolean {
    return this.primitives.has(PRIMITIVES[code].name);
  }

  /** Whether that access is left without its ordering. */
  weakens(site: AccessSite): boolean {
    const place: Place = { code: site.code, frame: site.frames[0] ?? UNKNOWN };
    this.add(place);
    const weaker = this.isLeftOut(place);
    this.answers.push({ place, weaker });
    return weaker;
  }

  /** Learns of sites that nobody asks about. */
  meet(sites: readonly AccessSite[]): void {
    for (const { code, frames } of sites) this.add({ code, frame: frames[0] ?? UNKNOWN });
  }

  name({ code, frames }: AccessSite): string {
    return this.nameOf({ code, frame: frames[0] ?? UNKNOWN });
  }

  /** What can be left out. */
  sites(): Site[] {
    const all = [...this.places.values()].flat().filter(({ code }) => WEAKENED[code] !== null);
    return all.sort(bySource).map((place) => ({
      name: this.nameOf(place),
      primitive: PRIMITIVES[place.code].name,
      location: locationOf(place.frame),
      weaker: WEAKENED[place.code] as string,
    }));
  }

  /** Throws CheckError when a name that is to be left out is none of a site that was met. */
  requireAll(metBefore: readonly string[] = []): void {
    const sites = this.sites();
    if (metBefore.length > 0) {
      const all = [...metBefore, ...sites.map((site) => site.name)];
      if (this.without.every((name) => all.some((own) => named(name, own)))) return;
    }
    for (const name of this.without)
      if (!sites.some((site) => named(name, site.name)))
        throw unknownSite(name, 'no guard, and no ordering site that an execution of the program came to', sites);
  }

  /** Forgets the answers: the exploration begins anew. */
  restart(): void {
    this.moved = false;
    this.answers.length = 0;
  }

  private add(place: Place): void {
    const { code, frame } = place;
    const key = `${code}@${frame.file}:${frame.line}:${frame.column}`;
    if (this.known.has(key)) return;
    this.known.add(key);
    const base = baseOf(place);
    const list = this.places.get(base) ?? [];
    list.push(place);
    this.places.set(base, list.sort(bySource));
    if (list.length > 1 && this.without.some((name) => name.startsWith(`${base}#`)))
      this.moved ||= this.answers.some(({ place, weaker }) => this.isLeftOut(place) !== weaker);
  }

  private isLeftOut(place: Place): boolean {
    if (this.without.length === 0 || WEAKENED[place.code] === null) return false;
    const own = this.nameOf(place);
    return this.without.some((name) => named(name, own));
  }

  private nameOf(place: Place): string {
    const base = baseOf(place);
    const list = this.places.get(base) ?? [];
    if (list.length < 2) return base;
    const { file, line, column } = place.frame;
    const index = list.findIndex(({ frame }) => frame.file === file && frame.line === line && frame.column === column);
    return `${base}#${index + 1}`;
  }
}

/**
 * Names of sites for a replay token: numbered not by their position in the source but in the order in which one execution of one thread comes to
 * them, so that nothing else has to be known to give a site its name.
 */
export class SitesAsMet {
  private readonly places = new Map<string, string[]>();

  name({ code, frames }: AccessSite): string {
    const frame = frames[0] ?? UNKNOWN;
    const base = baseOf({ code, frame });
    const list = this.places.get(base) ?? [];
    this.places.set(base, list);
    const position = `${frame.file}:${frame.line}:${frame.column}`;
    if (!list.includes(position)) list.push(position);
    const index = list.indexOf(position);
    return index === 0 ? base : `${base}#${index + 1}`;
  }
}

const baseOf = ({ code, frame }: Place): string => `${functionOf(frame)}.${PRIMITIVES[code].name}`;

/** A name without a number means each of them; `#1` means the only one too, since another may not be met. */
const named = (asked: string, own: string): boolean =>
  asked === own || own.startsWith(`${asked}#`) || asked === `${own}#1`;

/** Parts `without` into the names of guards, which are known before anything runs, and those that must be sites. Throws on what can be neither. */
export function partWithout(without: readonly string[]): { guards: string[]; sites: string[] } {
  const known = new Set(guards().map(({ name }) => name));
  const sites = without.filter((name) => !known.has(name));
  for (const name of sites) {
    const primitive = /^[^.\s]+\.(\w+)(#\d+)?$/.exec(name)?.[1];
    const code = PRIMITIVES.findIndex((row) => row.name === primitive);
    if (code < 0) {
      const near =
        primitive === undefined
          ? []
          : nearest(
              primitive,
              PRIMITIVES.map((row) => row.name),
            );
      const hint = near.length > 0 ? ` (primitives like '${primitive}': ${near.join(', ')})` : '';
      throw unknownSite(name, `neither a guard nor an ordering site, <function>.<primitive>${hint}`, []);
    }
    if (WEAKENED[code] === null)
      throw new CheckError(
        'unknown-site',
        `'${name}' cannot be left out: ${primitive} has no ordering, or is nothing without it`,
      );
  }
  return { guards: without.filter((name) => known.has(name)), sites };
}

/** Throws CheckError when a guard that is left out is none that the program came to: its absence proves nothing. */
export function requireGuards(names: readonly string[], met: readonly Guard[]): void {
  for (const name of names) {
    if (met.some((guard) => guard.name === name)) continue;
    const others = met.length === 0 ? 'it comes to none' : `it comes to ${met.map((guard) => guard.name).join(', ')}`;
    throw new CheckError('unknown-site', `no execution of the program comes to the guard '${name}'; ${others}`);
  }
}

function unknownSite(name: string, what: string, sites: readonly Site[]): CheckError {
  const known = [...sites.map((site) => site.name), ...guards().map((guard) => guard.name)];
  const near = nearest(name, known);
  const hint = near.length > 0 ? `; did you mean ${near.map((other) => `'${other}'`).join(' or ')}?` : '';
  const there =
    near.length > 0 ? '' : sites.length > 0 ? `; there are ${sites.map((site) => site.name).join(', ')}` : '';
  return new CheckError('unknown-site', `'${name}' is ${what}${hint}${there}`);
}

/** Names that somebody may have meant: parts of a name, and slips of the keyboard. At most three, best first. */
export function nearest(name: string, known: readonly string[]): string[] {
  const asked = name.toLowerCase();
  const worth = (other: string): number => {
    const own = other.toLowerCase();
    if (own.includes(asked) || asked.includes(own)) return 0;
    const [asks, has] = [asked.split('.'), own.split('.')];
    if (asks[0] === has[0]) return 1;
    return distance(asked, own);
  };
  return [...new Set(known)]
    .map((other) => ({ other, worth: worth(other) }))
    .filter((found) => found.worth <= Math.max(2, asked.length / 3))
    .sort((a, b) => a.worth - b.worth || a.other.localeCompare(b.other))
    .slice(0, 3)
    .map(({ other }) => other);
}
