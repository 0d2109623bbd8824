// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { defineStatic } from '@lockless/cpu';
import { AddressSpace } from '@lockless/mm-types';

/** The address_space of all pages that have a place in a swap area: swap-state.ts. */
export const swapperSpace: Ptr<AddressSpace> = defineStatic(AddressSpace, 'swapper_space');
