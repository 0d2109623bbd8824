// SPDX-License-Identifier: MIT
import type { Access } from './op.js';
import { access } from './op.js';
import { code } from './primitive.js';
import type { Ptr } from './word.js';

const SUBMIT_IO = code('submit_io');

/**
 * submit_bio(): hands a request to a device and returns; the device raises an interrupt when it is done. `request` is a struct that driver
 * and device agree on. *Ordering*: full; the device sees all that was written before.
 */
export const submitIo = (device: number, request: Ptr<unknown>): Access<void> => access(SUBMIT_IO, request, device);
