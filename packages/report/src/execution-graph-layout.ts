// SPDX-License-Identifier: MIT
import type { Drawing, DrawnEdge, DrawnEvent } from './execution-graph.js';

export interface Box {
  readonly label: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
export interface Heading {
  readonly text: string;
  readonly x: number;
  readonly y: number;
}
interface Point {
  readonly x: number;
  readonly y: number;
}
/** A cubic curve and where its name stands. */
export interface Curve {
  readonly edge: DrawnEdge;
  readonly points: readonly [Point, Point, Point, Point];
  readonly label: Point;
}
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly headings: readonly Heading[];
  readonly curves: readonly Curve[];
}

/** Of the fixed-width font that the picture asks for, at its size. */
const CHARACTER = 7.3;
const BOX_HEIGHT = 24;
const ROW = 62;
const GUTTER = 108;
const MARGIN = 28;
const EDGE_LABEL = { character: 6.7, height: 13 };

/**
 * Threads are columns, program order goes down, initial stores stand above the gutter left of the column that reads them first. Nothing is moved to make room:
 * the same execution gives the same picture, and so do similar ones. Only the curves between are routed, and their names put where there is room.
 */
export function layOut({ title, threads, initial, edges }: Drawing): Layout {
  const widths = threads.map(({ heading, events }) => columnWidth(heading, events));
  const top = MARGIN + (title === '' ? 0 : 28);
  const initialTop = top;
  const headingTop = initialTop + (initial.length === 0 ? 0 : ROW);
  const columns: number[] = [];
  let x = MARGIN + GUTTER * 0.75;
  for (const width of widths) {
    columns.push(x);
    x += width + GUTTER;
  }
  const right = x - GUTTER / 2;

  const boxes = new Map<number, Box>();
  threads.forEach(({ events }, thread) => {
    events.forEach(({ event, label }, row) => {
      const width = label.length * CHARACTER + 14;
      const y = headingTop + 34 + row * ROW;
      boxes.set(event, { label, x: columns[thread] + (widths[thread] - width) / 2, y, width, height: BOX_HEIGHT });
    });
  });
  const lastInitial = placeInitial(initial, edges, boxes, initialTop);

  const headings = threads.map(({ heading }, thread) => ({
    text: heading,
    x: columns[thread] + widths[thread] / 2,
    y: headingTop + 14,
  }));
  const rows = Math.max(0, ...threads.map(({ events }) => events.length));
  const curves = route(edges, threads, boxes);
  const width = Math.max(right, lastInitial, title.length * 9 + MARGIN) + MARGIN;
  return {
    width,
    height: headingTop + 34 + rows * ROW + MARGIN - (ROW - BOX_HEIGHT),
    boxes: [...boxes.values()],
    headings,
    curves,
  };
}

function columnWidth(heading: string, events: readonly DrawnEvent[]): number {
  return Math.max(60, heading.length * 8, ...events.map(({ label }) => label.length * CHARACTER + 14));
}

/** Initial stores left of their readers, side by side where those share a column; returns where they end. */
function placeInitial(
  initial: readonly DrawnEvent[],
  edges: readonly DrawnEdge[],
  boxes: Map<number, Box>,
  y: number,
): number {
  const wanted = initial.map(({ event, label }) => {
    const readers = edges.flatMap(({ from, to }) => (from === event ? (boxes.get(to) ?? []) : []));
    const centre = Math.min(...readers.map((box) => box.x)) - GUTTER * 0.62;
    return { event, label, width: label.length * CHARACTER + 14, centre };
  });
  wanted.sort((a, b) => a.centre - b.centre);
  let free = MARGIN;
  for (const { event, label, width, centre } of wanted) {
    const x = Math.max(free, centre - width / 2);
    boxes.set(event, { label, x, y, width, height: BOX_HEIGHT });
    free = x + width + 20;
  }
  return free;
}

/** Edges as curves. Where several leave or enter a side of a box they are spread over it, by where they lead. */
function route(edges: readonly DrawnEdge[], threads: Drawing['threads'], boxes: ReadonlyMap<number, Box>): Curve[] {
  const place = new Map<number, { thread: number; row: number }>();
  threads.forEach(({ events }, thread) => {
    events.forEach(({ event }, row) => {
      place.set(event, { thread, row });
    });
  });
  const labels = new Labels([...boxes.values()]);
  const ports = new Ports(edges, place, boxes);
  return edges.flatMap((edge): Curve[] => {
    const points = ports.curve(edge);
    return points === null ? [] : [{ edge, points, label: labels.place(points, edge.name) }];
  });
}

type Place = ReadonlyMap<number, { readonly thread: number; readonly row: number }>;

/** Where the ends of edges touch boxes. */
class Ports {
  readonly #place: Place;
  readonly #boxes: ReadonlyMap<number, Box>;
  /** Of each side of a box, the edges' other ends, top to bottom. */
  readonly #sides: Map<string, { readonly edge: DrawnEdge; readonly y: number }[]> = new Map();

  constructor(edges: readonly DrawnEdge[], place: Place, boxes: ReadonlyMap<number, Box>) {
    this.#place = place;
    this.#boxes = boxes;
    for (const edge of edges) {
      const sides = this.#sidesOf(edge);
      if (sides === null) continue;
      this.#touch(edge.from, sides[0], edge, edge.to);
      this.#touch(edge.to, sides[1], edge, edge.from);
    }
    for (const list of this.#sides.values()) list.sort((a, b) => a.y - b.y);
  }

  #touch(event: number, side: Side, edge: DrawnEdge, other: number): void {
    const key = `${event} ${side}`;
    const list = this.#sides.get(key) ?? [];
    list.push({ edge, y: this.#boxes.get(other)?.y ?? 0 });
    this.#sides.set(key, list);
  }

  /**
   * Which sides an edge leaves and enters by: within a thread down the middle to the next event, else by an arc; between threads by what
   * faces; from an initial store down, and in from the left.
   */
  #sidesOf({ from, to, color }: DrawnEdge): readonly [Side, Side] | null {
    const a = this.#boxes.get(from);
    const b = this.#boxes.get(to);
    if (a === undefined || b === undefined) return null;
    const [p, q] = [this.#place.get(from), this.#place.get(to)];
    if (p === undefined || q === undefined) return ['bottom', 'left'];
    if (p.thread !== q.thread) return a.x < b.x ? ['right', 'left'] : ['left', 'right'];
    if (q.row === p.row + 1) return ['bottom', 'top'];
    const side = color === 'dependency' ? 'left' : 'right';
    return [side, side];
  }

  #port(event: number, side: Side, edge: DrawnEdge): Point {
    const box = this.#boxes.get(event) ?? { x: 0, y: 0, width: 0, height: 0 };
    const list = this.#sides.get(`${event} ${side}`) ?? [];
    const at = (list.findIndex((port) => port.edge === edge) + 1) / (list.length + 1);
    switch (side) {
      case 'left':
        return { x: box.x, y: box.y + box.height * at };
      case 'right':
        return { x: box.x + box.width, y: box.y + box.height * at };
      case 'top':
        return { x: box.x + box.width * at, y: box.y };
      case 'bottom':
        return { x: box.x + box.width * at, y: box.y + box.height };
    }
  }

  curve(edge: DrawnEdge): Curve['points'] | null {
    const sides = this.#sidesOf(edge);
    if (sides === null) return null;
    const a = this.#port(edge.from, sides[0], edge);
    const b = this.#port(edge.to, sides[1], edge);
    if (sides[1] === 'left' && sides[0] === 'bottom')
      return [a, { x: a.x, y: a.y + (b.y - a.y) * 0.7 }, { x: b.x - 40, y: b.y }, b];
    if (sides[0] === 'bottom') {
      const half = (b.y - a.y) / 2;
      return [a, { x: a.x, y: a.y + half }, { x: b.x, y: b.y - half }, b];
    }
    if (sides[0] === sides[1]) {
      const bulge = (28 + Math.min(40, Math.abs(b.y - a.y) / 6)) * (sides[0] === 'left' ? -1 : 1);
      const out = sides[0] === 'left' ? Math.min(a.x, b.x) : Math.max(a.x, b.x);
      return [a, { x: out + bulge, y: a.y }, { x: out + bulge, y: b.y }, b];
    }
    const reach = Math.max(36, Math.abs(b.x - a.x) * 0.42) * Math.sign(b.x - a.x);
    return [a, { x: a.x + reach, y: a.y }, { x: b.x - reach, y: b.y }, b];
  }
}

type Side = 'left' | 'right' | 'top' | 'bottom';

/** Puts names on curves where they cover neither a box nor another name. */
class Labels {
  readonly #taken: { x: number; y: number; width: number; height: number }[];

  constructor(boxes: readonly Box[]) {
    this.#taken = boxes.map(({ x, y, width, height }) => ({ x, y, width, height }));
  }

  place(points: Curve['points'], name: string): Point {
    const width = name.length * EDGE_LABEL.character + 4;
    const { height } = EDGE_LABEL;
    const at = (t: number): { x: number; y: number; width: number; height: number } => {
      const { x, y } = pointAt(points, t);
      return { x: x - width / 2, y: y - height / 2, width, height };
    };
    const candidates = [0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.2, 0.8, 0.14, 0.86].map(at);
    const free = candidates.find((spot) => !this.#taken.some((other) => overlap(spot, other))) ?? candidates[0];
    this.#taken.push(free);
    return { x: free.x + width / 2, y: free.y + height / 2 };
  }
}

interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function overlap(a: Area, b: Area): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function pointAt([a, b, c, d]: Curve['points'], t: number): Point {
  const s = 1 - t;
  const mix = (i: number, j: number, k: number, l: number): number =>
    s * s * s * i + 3 * s * s * t * j + 3 * s * t * t * k + t * t * t * l;
  return { x: mix(a.x, b.x, c.x, d.x), y: mix(a.y, b.y, c.y, d.y) };
}
