// SPDX-License-Identifier: MIT
import { attached } from './op.js';

/** exit_idle(): this thread has begun something that enterIdle() ends; the machine will call that. */
export const exitIdle = (): void => attached.engine.exitIdle();
