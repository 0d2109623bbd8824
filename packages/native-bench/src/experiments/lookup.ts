// SPDX-License-Identifier: GPL-2.0-only
import type { KeyOptions } from '../harness/keys.js';
import { addCosts, measureAlone, type NamedSource, type Session } from '../measure.js';
import type { WasmForm } from '../subjects/wasm.js';
import { makeWorld, type World } from '../world.js';

/** The subjects that others are compared with. */
const BY_HAND = 'by hand';
const NATIVE = 'native';
const BUNDLED = 'native, bundled';
const NATIVE_PEEK = 'native, peek';

/** `quiet`: in a world whose readers say nothing. */
const native = (world: World, keys: KeyOptions, peek = false, quiet = false): NamedSource => ({
  name: [NATIVE, ...(peek ? ['peek'] : []), ...(quiet ? ['quiet'] : [])].join(', '),
  module: 'native',
  options: { world, keys, peek },
});

/** The same code as `native`, of one module. */
const bundled = (world: World, keys: KeyOptions, peek = false, quiet = false): NamedSource => ({
  name: [BUNDLED, ...(peek ? ['peek'] : []), ...(quiet ? ['quiet'] : [])].join(', '),
  module: 'bundled',
  options: { world, keys, peek },
});

const byHand = (world: World, keys: KeyOptions, peek = false, quiet = false): NamedSource => ({
  name: [BY_HAND, ...(peek ? ['peek'] : []), ...(quiet ? ['quiet'] : [])].join(', '),
  module: 'by-hand',
  options: { world, keys, peek, quiet },
});

/** The subjects in WebAssembly. */
const WASM = 'wasm';
const WASM_PEEK = 'wasm, peek';

const wasm = (world: World, keys: KeyOptions, form: WasmForm, quiet = false): NamedSource => ({
  name: [WASM, ...(form === 'read' ? [] : [form]), ...(quiet ? ['quiet'] : [])].join(', '),
  module: 'wasm',
  options: { world, keys, form },
});

const zipf = (pages: number): KeyOptions => ({ first: 0, pages, pattern: 'zipf', seed: 7 });

/** find_get_page() and put_page() of a cached page against what else there is; and values of the same number, by the same keys, in other stores. */
export async function lookup(session: Session): Promise<void> {
  const { pages } = session;
  const world = makeWorld({ generation: 'freeze-refs', pages });
  const quiet = makeWorld({ generation: 'freeze-refs', pages, rcu: 'qsbr' });
  const keys = zipf(pages);
  const others: NamedSource[] = [
    { name: 'Map.get', module: 'map', options: { entries: pages, keys } },
    { name: 'SharedMap.get', module: 'shared-map', options: { entries: pages, keys } },
    {
      name: 'SharedMap.get, no wasm',
      module: 'shared-map',
      options: { entries: pages, keys, webAssembly: false },
    },
    { name: 'SharedMap.get, quiet', module: 'shared-map', options: { entries: pages, keys, rcu: 'qsbr' } },
    { name: 'lmdb', module: 'lmdb', options: { entries: pages, keys } },
    { name: 'sharedmap', module: 'sharedmap', options: { entries: pages, keys } },
    { name: 'objectbuffer, array', module: 'object-buffer', options: { entries: pages, keys, collection: 'array' } },
    { name: 'objectbuffer, object', module: 'object-buffer', options: { entries: pages, keys, collection: 'object' } },
  ];
  const ns = await measureAlone(session, 'lookup', [
    native(world, keys),
    bundled(world, keys),
    byHand(world, keys),
    wasm(world, keys, 'read'),
    native(world, keys, true),
    bundled(world, keys, true),
    byHand(world, keys, true),
    wasm(world, keys, 'peek'),
    wasm(quiet, keys, 'read', true),
    wasm(quiet, keys, 'peek', true),
    ...[false, true].flatMap((peek) =>
      [native, bundled, byHand].map((source) => source(source === byHand ? world : quiet, keys, peek, true)),
    ),
    ...others,
  ]);
  addCosts(session, 'lookup', ns, [
    NATIVE,
    BUNDLED,
    BY_HAND,
    NATIVE_PEEK,
    `${NATIVE}, quiet`,
    `${NATIVE_PEEK}, quiet`,
    ...[WASM, WASM_PEEK].flatMap((name) => [name, `${name}, quiet`]),
    'SharedMap.get, no wasm',
  ]);
}

/** The same with more and more pages, all equally likely: when the caches of the processor are too small, all pay for that. */
export async function workingSet(session: Session): Promise<void> {
  const world = makeWorld({ generation: 'freeze-refs', pages: session.pages });
  for (let pages = 256; pages <= session.pages; pages *= 4) {
    const keys: KeyOptions = { first: 0, pages, pattern: 'uniform', seed: 9 };
    const ns = await measureAlone(session, 'working set', [
      native(world, keys),
      byHand(world, keys),
      native(world, keys, true),
      { name: 'Map.get', module: 'map', options: { entries: pages, keys } },
    ]);
    addCosts(session, 'working set', ns, [BY_HAND], pages);
  }
}

/** WebAssembly: by how much is called at a time, and by what a reader costs. */
export async function webAssembly(session: Session): Promise<void> {
  const world = makeWorld({ generation: 'freeze-refs', pages: session.pages });
  const quietWorld = makeWorld({ generation: 'freeze-refs', pages: session.pages, rcu: 'qsbr' });
  const keys: KeyOptions = { first: 0, pages: Math.min(256, session.pages), pattern: 'uniform', seed: 11 };
  const forms: readonly WasmForm[] = ['read', 'read-batch', 'peek', 'peek-batch'];
  const ns = await measureAlone(session, 'wasm', [
    native(world, keys),
    native(world, keys, true),
    ...[false, true].flatMap((quiet) => [byHand(world, keys, false, quiet), byHand(world, keys, true, quiet)]),
    native(quietWorld, keys, false, true),
    native(quietWorld, keys, true, true),
    wasm(world, keys, 'find-put'),
    ...forms.map((form) => wasm(world, keys, form)),
    ...forms.map((form) => wasm(quietWorld, keys, form, true)),
  ]);
  addCosts(session, 'wasm', ns, [NATIVE, BY_HAND]);
}
