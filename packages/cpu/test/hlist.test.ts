// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  defineStatic,
  HlistHead,
  HlistNode,
  hlistAddHead,
  hlistDelInitRcu,
  hlistEmpty,
  hlistUnhashed,
  initHlistHead,
  initHlistNode,
  type Op,
  type Ptr,
  peek,
  SequentialEngine,
} from '../src/index.js';

const head = defineStatic(HlistHead, 'hlist_head');
const nodes = Array.from({ length: 5 }, (_, i) => defineStatic(HlistNode, `hlist_node_${i}`));

function* elements(): Op<Ptr<HlistNode>[]> {
  const found: Ptr<HlistNode>[] = [];
  for (let at = peek(HlistHead.first(head)); at !== 0; at = peek(HlistNode.next(at))) found.push(at);
  return found;
}

describe('an hlist', () => {
  it('is a stack from which anything can be taken, also by who is not sure that it is there', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 4 })), { maxLength: 30 }), (steps) => {
        const engine = new SequentialEngine();
        engine.run(initHlistHead(head));
        for (const node of nodes) engine.run(initHlistNode(node));
        let model: Ptr<HlistNode>[] = [];
        for (const [add, i] of steps) {
          const node = nodes[i] as Ptr<HlistNode>;
          if (!add) {
            engine.run(hlistDelInitRcu(node));
            model = model.filter((other) => other !== node);
          } else if (!model.includes(node)) {
            engine.run(hlistAddHead(node, head));
            model.unshift(node);
          }
          expect(engine.run(elements())).toEqual(model);
          expect(engine.run(hlistEmpty(head))).toBe(model.length === 0);
          expect(engine.run(hlistUnhashed(node))).toBe(!model.includes(node));
        }
      }),
    );
  });
});
