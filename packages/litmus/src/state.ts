// SPDX-License-Identifier: MIT
import type { Condition, InitialValue, Litmus, Place } from './ast.js';
import type { FinalValue, State } from './outcome.js';
import { placeText } from './proposition.js';

/**
 * What a final state tells: the places that the condition and `locations` name (not those of `filter`), in herd's order: registers by thread and name,
 * then variables by name.
 */
export function observedPlaces({ locations, condition }: Litmus): readonly Place[] {
  return distinct([...locations, ...placesOf(condition)]);
}

/** All places whose final values decide about an execution: the observed ones, and those of `filter`. */
export function decidingPlaces(litmus: Litmus): readonly Place[] {
  return distinct([...observedPlaces(litmus), ...(litmus.filter === null ? [] : placesOf(litmus.filter))]);
}

function placesOf(condition: Condition): Place[] {
  switch (condition.kind) {
    case 'true':
      return [];
    case 'not':
      return placesOf(condition.operand);
    case 'atom':
      return isPlace(condition.value) ? [condition.place, condition.value] : [condition.place];
    default:
      return [...placesOf(condition.left), ...placesOf(condition.right)];
  }
}

function distinct(places: readonly Place[]): Place[] {
  const byText = new Map(places.map((place) => [placeText(place), place]));
  return [...byText.values()].sort(comparePlaces);
}

function comparePlaces(a: Place, b: Place): number {
  if (a.thread !== b.thread) return (a.thread ?? Number.POSITIVE_INFINITY) - (b.thread ?? Number.POSITIVE_INFINITY);
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

const isPlace = (value: InitialValue | Place): value is Place => 'name' in value;

/** Whether a condition holds in a final state. */
export function holds(condition: Condition, read: (place: Place) => FinalValue): boolean {
  switch (condition.kind) {
    case 'true':
      return true;
    case 'not':
      return !holds(condition.operand, read);
    case 'and':
      return holds(condition.left, read) && holds(condition.right, read);
    case 'or':
      return holds(condition.left, read) || holds(condition.right, read);
    case 'atom': {
      const expected = isPlace(condition.value) ? read(condition.value) : condition.value;
      return (compareValues(read(condition.place), expected) === 0) === (condition.operator === '=');
    }
  }
}

/** Numbers first, then addresses by name, then what is not determined. */
function compareValues(a: FinalValue, b: FinalValue): number {
  if ('constant' in a) return 'constant' in b ? Number(a.constant > b.constant) - Number(a.constant < b.constant) : -1;
  if ('address' in a) {
    if ('address' in b) return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
    return 'constant' in b ? 1 : -1;
  }
  return 'symbol' in b ? a.symbol - b.symbol : 1;
}

/** herd's order of final states: by their values, from the first place on. */
export function compareStates(a: State, b: State): number {
  for (const [index, value] of a.entries()) {
    const order = compareValues(value, b[index]);
    if (order !== 0) return order;
  }
  return 0;
}

/** `0:r0=1; [x]=2;` */
export function stateText(places: readonly Place[], state: State): string {
  return places.map((place, index) => `${placeText(place)}=${finalText(state[index])};`).join(' ');
}

const finalText = (value: FinalValue): string =>
  'constant' in value ? String(value.constant) : 'address' in value ? value.address : `S${value.symbol}`;
