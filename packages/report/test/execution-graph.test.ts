// SPDX-License-Identifier: MIT
import { type Event, explain, lkmm, Relation, type Skeleton, type Witness } from '@lockless/memory-model';
import { describe, expect, it } from 'vitest';
import { drawing } from '../src/execution-graph.js';
import { layOut } from '../src/execution-graph-layout.js';
import { type ExecutionGraph, executionDot, executionSvg } from '../src/index.js';

const event = (
  thread: number,
  type: Event['type'],
  tag: Event['tag'],
  location = -1,
  value = 0,
  partner = -1,
): Event => ({
  thread,
  type,
  tag,
  location,
  value,
  partner,
});

function graph(
  events: readonly Event[],
  reads: readonly [number, number][],
  orders: readonly (readonly number[])[],
): { skeleton: Skeleton; witness: Witness } {
  const relation = (): Relation => new Relation(events.length);
  const rf = new Int32Array(events.length).fill(-1);
  for (const [store, load] of reads) rf[load] = store;
  const co = relation();
  for (const order of orders)
    order.forEach((first, i) => {
      for (const second of order.slice(i + 1)) co.add(first, second);
    });
  return { skeleton: { events, addr: relation(), data: relation(), ctrl: relation() }, witness: { rf, co } };
}

const locations = new Map([
  [0, 'x'],
  [1, 'y'],
]);
/** Message passing with smp_wmb() and an xchg of y in between, stale. */
const stale: ExecutionGraph = {
  ...graph(
    [
      event(-1, 'W', 'once', 0),
      event(-1, 'W', 'once', 1),
      event(0, 'W', 'once', 0, 1),
      event(0, 'F', 'wmb'),
      event(0, 'W', 'once', 1, 1),
      event(1, 'R', 'mb', 1, 1, 6),
      event(1, 'W', 'mb', 1, 2, 5),
      event(1, 'R', 'once', 0, 0),
    ],
    [
      [4, 5],
      [0, 7],
    ],
    [
      [0, 2],
      [1, 4, 6],
    ],
  ),
  locations,
};

describe('an execution drawn', () => {
  it('as DOT: a cluster a thread, labels and colours as herd has them', () => {
    expect(executionDot({ ...stale, title: 'MP "stale"' })).toBe(`digraph G {
  splines=spline;
  node [shape=none, fontname=helvetica, fontsize=10, height=0.2, margin=0.04];
  edge [fontname=helvetica, fontsize=9, arrowsize=0.7];
  label="MP \\"stale\\""; labelloc=t; fontname=helvetica;
  e0 [label="x=0"];
  subgraph cluster_proc0 {
    label="P0"; color=magenta; fontname=helvetica;
    e2 [label="a: W[once]x=1"];
    e3 [label="b: F[wmb]"];
    e4 [label="c: W[once]y=1"];
  }
  subgraph cluster_proc1 {
    label="P1"; color=magenta; fontname=helvetica;
    e5 [label="d: R*[mb]y=1"];
    e6 [label="e: W*[mb]y=2"];
    e7 [label="f: R[once]x=0"];
  }
  e2 -> e3 [label="po", color="black", fontcolor="black", weight=10];
  e3 -> e4 [label="po", color="black", fontcolor="black", weight=10];
  e5 -> e6 [label="po, fr, rmw", color="#ffa040", fontcolor="#ffa040", weight=10];
  e6 -> e7 [label="po", color="black", fontcolor="black", weight=10];
  e0 -> e7 [label="rf", color="red", fontcolor="red", constraint=false];
  e4 -> e5 [label="rf", color="red", fontcolor="red", constraint=false];
  e4 -> e6 [label="co", color="blue", fontcolor="blue", constraint=false];
  e7 -> e2 [label="fr", color="#ffa040", fontcolor="#ffa040", constraint=false];
}
`);
  });

  it('names locks, SRCU and what else there is as herd does; threads and values as asked', () => {
    const { skeleton, witness } = graph(
      [
        event(-1, 'W', 'once', 0),
        event(0, 'LKR', 'plain', 0, 0, 2),
        event(0, 'LKW', 'plain', 0, 1, 1),
        event(0, 'UL', 'plain', 0),
        event(0, 'LF', 'plain', 0, 1),
        event(0, 'RL', 'plain', 0, 1),
        event(0, 'RU', 'plain', 0),
        event(0, 'R', 'plain', 1, 7),
        event(0, 'R', 'srcu-lock', 2),
        event(0, 'F', 'sync-srcu', 2),
        { ...event(0, 'R', 'acquire', 1, 7), failed: true },
      ],
      [[0, 1]],
      [[0, 2, 3]],
    );
    const drawn = drawing({
      skeleton,
      witness,
      locations: new Map([
        [0, 'l'],
        [2, 's'],
      ]),
      threads: ['CPU0 kswapd'],
      label: (i) => (i === 7 ? 'pageCount(P7) == 2' : undefined),
      value: (value, i) => (i === 10 ? '&page[7]' : String(value)),
    });
    expect(drawn.initial.map(({ label }) => label)).toEqual(['l=0']);
    expect(drawn.threads.map(({ heading }) => heading)).toEqual(['CPU0 kswapd']);
    expect(drawn.threads[0].events.map(({ label }) => label)).toEqual([
      'a: Lock(l,R)',
      'b: Lock(l,W)',
      'c: Unlock(l)',
      'd: TryLock(l,1)',
      'e: ReadLock(l,1)',
      'f: ReadLock(l,0)',
      'pageCount(P7) == 2',
      'h: R[srcu-lock]s=0',
      'i: SRCU[sync-srcu](s)',
      'j: R*[acquire]x1=&page[7]',
    ]);
  });

  it('with an explanation standing out: program order from neighbour to neighbour, fences as edges of their own', () => {
    const explanation = explain(lkmm, stale.skeleton, stale.witness);
    expect(explanation?.axiom).toBe('happens-before');
    const standingOut = drawing({ ...stale, highlight: explanation?.edges ?? [] }).edges.filter(
      ({ highlighted }) => highlighted,
    );
    expect(standingOut.map(({ from, to, name }) => `${from} ${name} ${to}`)).toEqual([
      '4 rf 5',
      '7 fr 2',
      '2 wmb 4',
      '5 mb 7',
    ]);
    const way = drawing({ ...stale, highlight: [{ from: 5, to: 7, name: 'po' }] }).edges.filter(
      ({ highlighted }) => highlighted,
    );
    expect(way.map(({ from, to }) => `${from} ${to}`)).toEqual(['5 6', '6 7']);
    expect(drawing({ ...stale, relations: ['wmb'] }).edges.some(({ name }) => name === 'wmb')).toBe(true);
  });

  it('as SVG: boxes do not touch, rows go down, nothing leaves the picture, and text is escaped', () => {
    const { boxes, headings, curves, width, height } = layOut(
      drawing({ ...stale, highlight: explain(lkmm, stale.skeleton, stale.witness)?.edges ?? [] }),
    );
    expect(boxes).toHaveLength(7);
    expect(headings.map(({ text }) => text)).toEqual(['P0', 'P1']);
    for (const [i, a] of boxes.entries())
      for (const b of boxes.slice(i + 1))
        expect(
          a.x + a.width < b.x || b.x + b.width < a.x || a.y + a.height < b.y || b.y + b.height < a.y,
          `${a.label}, ${b.label}`,
        ).toBe(true);
    for (const { x, y, width: w, height: h } of boxes)
      expect(x >= 0 && y >= 0 && x + w <= width && y + h <= height).toBe(true);
    for (const { points, label } of curves)
      for (const { x, y } of [...points, label]) expect(x >= 0 && y >= 0 && x <= width && y <= height).toBe(true);
    const spots = curves.map(({ label }) => `${Math.round(label.x / 6)} ${Math.round(label.y / 6)}`);
    expect(new Set(spots).size).toBe(spots.length);

    const svg = executionSvg({ ...stale, title: '<&"\u0000', threads: ['a<b'] });
    expect(svg).toContain('&lt;&amp;&quot;\ufffd');
    expect(svg).toContain('a&lt;b');
    expect(svg.match(/<path class="rf/g)).toHaveLength(2);
    expect(svg.match(/<rect class="event"/g)).toHaveLength(7);
    expect(svg).not.toMatch(/href|url\((?!#)|NaN|Infinity/);
    expect(executionSvg(stale)).toBe(executionSvg(stale));
  });

  it('of nothing', () => {
    const { skeleton, witness } = graph([], [], []);
    expect(executionSvg({ skeleton, witness })).not.toMatch(/NaN|Infinity/);
    expect(executionDot({ skeleton, witness })).toContain('digraph');
  });
});
