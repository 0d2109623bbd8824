// SPDX-License-Identifier: MIT
export const answer = 42;
