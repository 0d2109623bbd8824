// SPDX-License-Identifier: MIT
export const program = { name: 'no-threads', *setup() {}, threads: {} };
