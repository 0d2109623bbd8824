// SPDX-License-Identifier: MIT
// @ts-check

const CHARGES = 'no: memory cgroups count in batches of a CPU';
const POISON = 'no: that kernel is built without CONFIG_MEMORY_FAILURE';

/** Sections of rows.mjs: mappings, what locks and shadows them, huge pages. @type {import('./rows.mjs').Section[]} */
export const mappings = [
  {
    title: 'Reverse mapping',
    kernel: 'that kernel has anon_vma only',
    rows: [
      { names: 'pte_chain_alloc, pte_chain_free', documents: '4' },
      { names: 'pte_chain_lock, pte_chain_unlock', documents: '4' },
      {
        names: 'pte_chain_encode, pte_chain_next, pte_chain_idx',
        documents: '4',
        at: ['pte-chain.ts#chainAdd', 'pte-chain.ts#chainRemove'],
        note: 'which pack and unpack the word by `pteChainNext` and `pteChainIdx`',
      },
      { names: 'page_add_rmap', documents: '4' },
      { names: 'page_remove_rmap', documents: '4' },
      { names: 'PageAnon, SetPageAnon', documents: '4' },
      { names: 'PageDirect, SetPageDirect, ClearPageDirect', documents: '4' },
      { names: 'find_pte', documents: '4' },
      {
        names: 'page_referenced_obj_one, page_referenced_obj',
        documents: '4',
        scenario: 'what they miss costs a page its place in memory, and nothing else',
      },
      { names: 'page_referenced', documents: '4' },
      { names: 'try_to_unmap_obj_one, try_to_unmap_obj', documents: '4' },
      { names: 'try_to_unmap_one', documents: '4' },
      { names: 'page_convert_anon', documents: '4' },
      { names: 'install_page', documents: '4' },
      {
        names: 'zap_pte',
        documents: '4',
        simulated: 'random programs with remap_file_pages: `mm/test/remap-file-pages.test.ts`',
      },
      { names: 'sys_remap_file_pages', documents: '4', scenario: 'what it does to each page is install_page' },
      {
        names: 'shmem_unuse',
        documents: '4',
        simulated: 'random programs with files in memory and swapoff: `mm/test/shmem-swap.test.ts`',
      },
      { names: 'lru_cache_add_active', documents: '4', scenario: 'a batch of its own CPU, as `up-pagevec`' },
      {
        names: 'ptep_clear_flush, flush_cache_page, page_test_and_clear_dirty',
        documents: '4',
        at: ['pte-access.ts#ptepClearFlush'],
        note: 'the other two do nothing on x86: caches are coherent, and only s390 keeps dirty bits in storage keys',
      },
      {
        names: 'anonmm',
        documents: '4',
        at: ['anonmm.ts#execRmap', 'anonmm.ts#dupRmap', 'rmap-anonmm.ts#rmapWalk'],
        scenario: 'its lists change under their lock; find_pte and the rest are those of the other designs',
      },
      { names: 'anon_vma_prepare, anon_vma_link, anon_vma_unlink, page_lock_anon_vma', documents: '2' },
      { names: 'page_add_new_anon_rmap, page_add_anon_rmap, page_add_file_rmap', documents: '4' },
    ],
  },
  {
    title: 'mm_take_all_locks',
    kernel: 'taken for MMU notifiers only, which need a driver',
    rows: [
      { names: 'vm_lock_anon_vma, vm_unlock_anon_vma', documents: '2' },
      { names: 'vm_lock_mapping, vm_unlock_mapping', documents: '2' },
      { names: 'mm_take_all_locks', documents: '2' },
      { names: 'mm_drop_all_locks', documents: '2' },
      {
        names: 'exit_mmap, copy_vma',
        documents: '2',
        scenario: 'of a whole address space: simulated, not checked; release is in `release-vs-unregister`',
      },
      {
        names: 'install_special_mapping',
        documents: '2',
        simulated: 'tests: `mm/test/special-mappings.test.ts`, on each reverse mapping',
        kernel: '`oracle/test/special-mapping.test.ts`: [vdso]',
      },
    ],
  },
  {
    title: 'MMU notifiers and the guest',
    kernel: 'needs a virtual machine',
    rows: [
      { names: 'mmu_notifier_register', documents: '2' },
      { names: 'invalidate_range_start, invalidate_range_end', documents: '2' },
      { names: 'invalidate_page', documents: '2' },
      {
        names: 'clear_flush_young',
        documents: '2',
        scenario: 'what it misses costs a page its place in memory, and nothing else',
      },
      { names: 'mmu_notifier_unregister', documents: '2' },
      { names: '__mmu_notifier_release', documents: '2' },
      { names: 'kvm_mmu_page_fault', documents: '2 3', at: ['mmu.ts#tdpPageFault', 'mmu.ts#mmuNotifierRetry'] },
      { names: 'transparent_hugepage_adjust', documents: '3', simulated: '`run --guest --thp`' },
    ],
  },
  {
    title: 'RCU discipline, cookies, huge pages',
    kernel: 'nothing of it can be seen from outside the kernel',
    rows: [
      { names: 'rcu_get_gp_cookie, rcu_gp_cookie_elapsed', documents: '3' },
      { names: 'get_state_synchronize_rcu, cond_synchronize_rcu', documents: '3' },
      {
        names: 'page_get_gp_cookie, page_gp_cookie_elapsed, page_clear_gp_cookie',
        documents: '3',
        simulated: 'the design `grace-period` in the random programs of `mm/test/huge-pages.test.ts`',
      },
      { names: 'split_huge_page, __split_huge_page, __split_huge_page_refcount', documents: '3' },
      { names: 'put_compound_page', documents: '3' },
      { names: 'get_page_foll, __get_page_tail', documents: '3' },
      { names: 'deactivate_page, lru_deactivate_fn', documents: '3' },
      { names: 'mem_cgroup_force_empty_list', documents: '3', kernel: CHARGES },
      { names: 'mc_handle_present_pte', documents: '3', kernel: CHARGES },
      {
        names: 'page_trans_compound_anon_split',
        documents: '3',
        scenario: 'called by KSM, which is not modelled; what it does is split_huge_page',
        kernel: 'no: called by KSM, which is not modelled',
      },
      { names: 'hwpoison_inject', documents: '3', kernel: POISON },
      { names: '__memory_failure, unpoison_memory, get_any_page', documents: '3', kernel: POISON },
      { names: 'do_migrate_range', documents: '3', kernel: 'no: takes memory out of the machine' },
    ],
  },
  {
    title: 'Environment',
    kernel: 'nothing of it can be seen from outside the kernel',
    rows: [
      { names: 'atomic_cmpxchg, atomic_set, test_and_set_bit', documents: '0 1 2 4' },
      { names: 'rcu_dereference, rcu_assign_pointer, smp_rmb, smp_wmb, smp_mb', documents: '0 1 2 3' },
      { names: 'mark_page_accessed', documents: '4' },
      { names: 'TestClearPageReferenced', documents: '4' },
      {
        names: 'mapping_set_error',
        documents: '2',
        scenario: 'sets one bit, atomically',
        simulated: 'tests: `mm/test/dirty.test.ts`; `run --inject eio=0.2`',
        kernel: 'no: needs a disk that fails',
      },
      { names: 'tlb_gather_mmu, tlb_remove_page', documents: '2' },
      {
        names: 'bad_page',
        documents: '4',
        simulated: 'only when the kernel is wrong: `page/test/page-alloc.test.ts`',
        kernel: 'no: only when the kernel is wrong',
      },
      { names: 'radix_tree_insert, radix_tree_preload', documents: '0' },
      { names: 'swp_entry, set_page_private', documents: '0 4' },
      {
        names: 'nopage',
        documents: '4',
        at: ['filemap-fault.ts#filemapNopage'],
        simulated: 'as do_no_page',
        kernel: 'no: that kernel has it no more',
      },
      {
        names: 'remap_page_range',
        documents: '4',
        at: ['remap-pfn-range.ts#remapPfnRange'],
        simulated: 'tests: `mm/test/special-mappings.test.ts`, on each reverse mapping',
        kernel:
          '`oracle/test/special-mapping.test.ts`: [vvar], whose entries have no page either; /dev/mem is not there',
      },
      { names: 'get_user_pages', documents: '0 2 3' },
    ],
  },
];
