// SPDX-License-Identifier: MIT
throw new Error('this module\ncannot be loaded');
