// SPDX-License-Identifier: MIT
import { shareOurPackages } from './user-modules.js';

/* Imported by other threads, for this. */
shareOurPackages();
