// SPDX-License-Identifier: MIT

/** 1234567 as `1,234,567`. */
export const count = (n: number): string => n.toLocaleString('en-US');

/** A share as `99.3 %`. What is not whole never reads as 100 %, what is not nothing never as 0 %. */
export function percent(share: number): string {
  if (share > 0 && share < 0.0005) return '< 0.1 %';
  if (share > 0.9995 && share < 1) return '99.9 %';
  return `${(share * 100).toFixed(1)} %`;
}

/** Pages of 4096 bytes as MiB. */
export const mebibytes = (pages: number): string => `${count(Math.round(pages / 25.6) / 10)} MiB`;

/** Virtual ns as `398.411 ms`. */
export const milliseconds = (ns: number): string =>
  `${(ns / 1e6).toLocaleString('en-US', { minimumFractionDigits: 3, maximumFractionDigits: 3 })} ms`;

/** `1 page`, `2 pages`. */
export const plural = (n: number, one: string, many: string = `${one}s`): string =>
  `${count(n)} ${n === 1 ? one : many}`;

/** `directReclaims` as `direct reclaims`. */
export const words = (name: string): string =>
  name.replaceAll(/([a-z\d])([A-Z])/g, (_, before: string, capital: string) => `${before} ${capital.toLowerCase()}`);
