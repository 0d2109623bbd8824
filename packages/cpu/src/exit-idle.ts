// SPDX-License-Identifier: MIT

/** exit_idle(): this CPU has begun something that enterIdle() ends. Who drives the machine need not be told here: it calls that anyway. */
export const exitIdle = (): void => undefined;
