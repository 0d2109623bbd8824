// SPDX-License-Identifier: MIT
import {
  type Event,
  INITIAL,
  type NamedEdge,
  type NamedRelations,
  namedRelations,
  type Relation,
  type RelationName,
  type Skeleton,
  type Witness,
} from '@lockless/memory-model';

/** An execution to draw, and what things are called in it. */
export interface ExecutionGraph {
  readonly skeleton: Skeleton;
  readonly witness: Witness;
  readonly title?: string;
  /** Headings of the threads; `P0`, `P1`, ... where there is none. */
  readonly threads?: readonly string[];
  /** What locations are called; `x0`, `x1`, ... where there is no name. */
  readonly locations?: ReadonlyMap<number, string>;
  /** What stands in an event's box, for those that it says it for: else `a: W[once]x=1`, as herd writes it. */
  readonly label?: (event: number) => string | undefined;
  /** How a value is written (a pointer, say, as what it points to). */
  readonly value?: (value: number, event: number) => string;
  /** Edges to stand out: an explanation's. */
  readonly highlight?: readonly NamedEdge[];
  /** Further relations to draw, fences for example. Always drawn: po, rf, co, fr, rmw, addr, data, ctrl. */
  readonly relations?: readonly RelationName[];
}

export interface DrawnEvent {
  readonly event: number;
  /** {@link INITIAL} for initial stores. */
  readonly thread: number;
  readonly label: string;
}

export interface DrawnEdge {
  readonly from: number;
  readonly to: number;
  /** `rf`; for edges that several relations share, `rf, addr`. */
  readonly name: string;
  readonly color: EdgeColor;
  readonly highlighted: boolean;
}

/** Named for the relations that have it: herd's colours, and a name for whatever orders within a thread. */
export type EdgeColor = 'po' | 'rf' | 'co' | 'fr' | 'dependency';

/** Events and edges of a picture, thread by thread in program order. */
export interface Drawing {
  readonly title: string;
  readonly threads: readonly { readonly heading: string; readonly events: readonly DrawnEvent[] }[];
  readonly initial: readonly DrawnEvent[];
  readonly edges: readonly DrawnEdge[];
}

const DRAWN: readonly RelationName[] = ['po', 'rf', 'co', 'fr', 'rmw', 'addr', 'data', 'ctrl'];

/** What a picture of the execution shows. Of po and co only neighbours, of fr the next store; initial stores where somebody reads them. */
export function drawing(graph: ExecutionGraph): Drawing {
  const { skeleton, witness } = graph;
  const { events } = skeleton;
  const relations = namedRelations(skeleton, witness);
  const edges = new Map<string, DrawnEdge>();
  const add = (from: number, to: number, name: string, highlighted: boolean): void => {
    const key = `${from} ${to}`;
    const color = colorOf(name);
    const before = edges.get(key);
    if (before === undefined) edges.set(key, { from, to, name, color, highlighted });
    else {
      const names = before.name.split(', ');
      edges.set(key, {
        from,
        to,
        name: names.includes(name) ? before.name : `${before.name}, ${name}`,
        // Of a pair that po and something else relate, the something else is worth seeing.
        color: before.color === 'po' ? color : before.color,
        highlighted: before.highlighted || highlighted,
      });
    }
  };
  for (const name of [...DRAWN, ...(graph.relations ?? [])])
    for (const [from, to] of reduced(name, relations, skeleton)) add(from, to, name, false);
  for (const { from, to, name } of graph.highlight ?? []) {
    const plain = plainName(name);
    // Program order is drawn from neighbour to neighbour.
    if (plain !== 'po') add(from, to, plain, true);
    else
      for (const [i, j] of immediate(relations.po))
        if (i >= from && j <= to && events[i].thread === events[from].thread) add(i, j, 'po', true);
  }

  const letters = namesOf(skeleton);
  const drawn = (event: number): DrawnEvent => ({
    event,
    thread: events[event].thread,
    label: graph.label?.(event) ?? herdLabel(graph, event, letters[event]),
  });
  const all = events.map((_, i) => i);
  const count = Math.max(-1, ...events.map(({ thread }) => thread)) + 1;
  const used = new Set([...edges.values()].flatMap(({ from, to }) => [from, to]));
  return {
    title: graph.title ?? '',
    threads: Array.from({ length: count }, (_, thread) => ({
      heading: graph.threads?.[thread] ?? `P${thread}`,
      events: all.filter((i) => events[i].thread === thread).map(drawn),
    })),
    initial: all.filter((i) => events[i].thread === INITIAL && used.has(i)).map(drawn),
    edges: [...edges.values()],
  };
}

/** `rfe` and `rfi` are rf; `co` and `fr` alike. What program order gives by itself is po. */
function plainName(name: string): string {
  if (name === 'po-loc' || name === 'ppo') return 'po';
  return /^(rf|co|fr)[ei]$/.test(name) ? name.slice(0, 2) : name;
}

function colorOf(name: string): EdgeColor {
  return name === 'po' || name === 'rf' || name === 'co' || name === 'fr' ? name : 'dependency';
}

function reduced(name: RelationName, relations: NamedRelations, { events }: Skeleton): Iterable<[number, number]> {
  const relation = relations[name];
  switch (name) {
    case 'po':
      return immediate(relation);
    case 'co':
      // That initial stores come first goes without saying.
      return [...immediate(relation)].filter(([from]) => events[from].thread !== INITIAL);
    case 'fr':
      return nextOnly(relation, relations.co);
    default:
      return relation.pairs();
  }
}

/** The pairs of a transitive relation with nobody in between. */
function* immediate(relation: Relation): Generator<[number, number]> {
  for (const [from, to] of relation.pairs()) {
    let between = false;
    for (let i = 0; i < relation.size; i++) between ||= relation.has(from, i) && relation.has(i, to);
    if (!between) yield [from, to];
  }
}

/** From each load to the first store that overwrites what it read. */
function* nextOnly(fr: Relation, co: Relation): Generator<[number, number]> {
  for (const [from, to] of fr.pairs()) {
    let earlier = false;
    for (let i = 0; i < fr.size; i++) earlier ||= fr.has(from, i) && co.has(i, to);
    if (!earlier) yield [from, to];
  }
}

/** a, b, ..., z, aa, ab, ... for what threads do; initial stores have none. */
function namesOf({ events }: Skeleton): string[] {
  let number = 0;
  return events.map(({ thread }) => {
    if (thread === INITIAL) return '';
    let name = '';
    for (let left = number++; left >= 0; left = Math.floor(left / 26) - 1)
      name = String.fromCharCode(97 + (left % 26)) + name;
    return name;
  });
}

function herdLabel({ skeleton, locations, value }: ExecutionGraph, event: number, letter: string): string {
  const it = skeleton.events[event];
  const location = it.location === -1 ? '' : (locations?.get(it.location) ?? `x${it.location}`);
  const written = value?.(it.value, event) ?? String(it.value);
  return it.thread === INITIAL ? `${location}=${written}` : `${letter}: ${action(it, location, written)}`;
}

/** As herd prints actions: a star marks a read-modify-write. */
function action({ type, tag, partner, failed }: Event, location: string, value: string): string {
  switch (type) {
    case 'R':
    case 'W': {
      const star = partner !== -1 || failed === true ? '*' : '';
      return `${type}${star}${tag === 'plain' ? '' : `[${tag}]`}${location}=${value}`;
    }
    case 'F':
      return location === '' ? `F[${tag}]` : `SRCU[${tag}](${location})`;
    case 'LKR':
      return `Lock(${location},R)`;
    case 'LKW':
      return `Lock(${location},W)`;
    case 'UL':
      return `Unlock(${location})`;
    case 'LF':
      return `TryLock(${location},1)`;
    case 'RL':
      return `ReadLock(${location},1)`;
    case 'RU':
      return `ReadLock(${location},0)`;
  }
}
