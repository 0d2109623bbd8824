// SPDX-License-Identifier: GPL-2.0-only

export { RMAP_DESIGNS, type RmapDesign, TAIL_DESIGNS, type TailDesign } from '@lockless/mm';
export { AddressMap } from './address-map.js';
export { footprint } from './footprint.js';
export {
  type MemorySize,
  type SimulateOptions,
  SimulationInputError,
  type SimulationProgress,
} from './options.js';
export { type Action, type Program, programOf } from './program.js';
export { simulate } from './simulate.js';
export { type Truth, truthOf } from './truth.js';
