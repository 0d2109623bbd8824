// SPDX-License-Identifier: MIT
import type { Access } from './op.js';
import { access } from './op.js';
import { code } from './primitive.js';

const CHOOSE = code('choose');

/**
 * A whole number from 0 to `alternatives` - 1 that the code must be right for whichever it is: an interrupt now or not, an allocation that
 * fails or not. The checker takes each in turn, the simulator one at random, the sequential engine 0. Orders nothing.
 */
export const choose = (alternatives: number): Access<number> => access(CHOOSE, 0, alternatives);
