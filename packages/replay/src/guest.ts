// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicInc,
  current,
  KernelBug,
  load,
  NULL,
  type Op,
  type Ptr,
  peek,
  smpMb,
  store,
  TaskStruct,
} from '@lockless/cpu';
import {
  guestRead,
  KVM_MEMORY_SLOTS,
  Kvm,
  type KvmVcpu,
  kvmCreateVcpu,
  kvmCreateVm,
  kvmDestroyVm,
  kvmPagesPerHpage,
  kvmReleaseVcpu,
  kvmSetMemoryRegion,
  PAGES_PER_SLOT,
  sptesAgree,
} from '@lockless/kvm';
import { adoptMm, exitMm, withoutCountingFaults } from '@lockless/mm';
import { MmStruct, taskMm } from '@lockless/mm-types';
import { Random } from '@lockless/simulator';
import type { Space } from './user-memory.js';
import type { World } from './world.js';

/** Memory slots that a guest has, and accesses that it makes before it goes. */
const SLOTS = 6;
const LIFE = 50;
/** Pages of a slot; or two huge pages, if those are more. */
const WINDOW = 32;
/** One access in so many is preceded by another choice of a slot. */
const MOVES = 8;

/** An address space that a thread of the program lets a guest into; its mm_users counts the guest already. */
interface Invitation {
  readonly mm: Ptr<MmStruct>;
  readonly space: Space;
}

/**
 * A guest on the machine, by another MMU in the memory of whichever process lets it in: comes while the process is at work, reads pages at random through
 * shadow entries that hold no reference, compares them with what the process must see, and goes, before the process or with it. So notifiers are
 * registered, called and released at any moment of a real program.
 */
export class Guest {
  private readonly world: World;
  private readonly random: Random;
  /** The gate that counts invitations. */
  private readonly gate: number;
  private wanted = true;
  private invitation: Invitation | null = null;
  private kvm: Ptr<Kvm> | typeof NULL = NULL;
  private readonly windows: number[] = [];
  private readonly hugePages: boolean;
  private readonly done = { shadowEntries: 0, hugeEntries: 0, entriesGivenUp: 0, faultsRepeated: 0 };

  constructor(world: World, seed: number, gate: number, hugePages: boolean) {
    this.world = world;
    this.hugePages = hugePages;
    this.random = new Random(seed, 12);
    this.gate = gate;
  }

  /** A thread of the program comes by, between two operations. */
  *invite(space: Space): Op<void> {
    if (!this.wanted) return;
    this.wanted = false;
    const mm = yield* load(taskMm(current()));
    if (mm === NULL) {
      this.wanted = true;
      return;
    }
    yield* atomicInc(MmStruct.mmUsers(mm));
    this.invitation = { mm, space };
    yield* this.world.gates.finishOne(this.gate);
  }

  /** The task's body: goes on until the program is done, and leaves its gate then. */
  *run(gate: number): Op<void> {
    for (let invitations = 1; ; invitations++) {
      yield* this.world.gates.waitFor(this.gate, invitations);
      const { invitation } = this;
      if (invitation === null) return yield* this.world.gates.leave(gate);
      this.invitation = null;
      yield* adoptMm(invitation.mm);
      const { kvm } = yield* kvmCreateVm(invitation.mm);
      if (kvm === NULL) yield* exitMm();
      else yield* this.live(kvm, invitation.space);
      // A signal that was injected has done what it does: the system call under way ended.
      yield* store(TaskStruct.signalPending(current()), 0);
      this.wanted = true;
    }
  }

  /** I12, at any moment. */
  readonly invariant = {
    name: 'guest-has-no-free-page',
    everyTicks: 1,
    atEnd: true,
    check: (): string | null => this.check(),
  };

  private check(): string | null {
    return this.kvm === NULL ? null : sptesAgree(this.kvm, false);
  }

  /** What the MMUs of all guests did. */
  counts(): Readonly<Record<string, number>> {
    const total = { ...this.done };
    const { kvm } = this;
    if (kvm === NULL) return total;
    total.shadowEntries += peek(Kvm.installed(kvm));
    total.hugeEntries += peek(Kvm.installedHuge(kvm));
    total.entriesGivenUp += peek(Kvm.unmapped(kvm));
    total.faultsRepeated += peek(Kvm.retried(kvm));
    return total;
  }

  private *live(kvm: Ptr<Kvm>, space: Space): Op<void> {
    this.kvm = kvm;
    const vcpu = yield* kvmCreateVcpu(kvm);
    for (let slot = 0; slot < SLOTS; slot++) yield* this.moveSlot(kvm, slot, space);
    for (let turn = 0; turn < LIFE && vcpu !== NULL; turn++) {
      if (this.random.below(MOVES) === 0) yield* this.moveSlot(kvm, this.random.below(SLOTS), space);
      yield* this.readPage(vcpu, space);
    }
    const first = this.random.below(2) === 0;
    if (first) yield* exitMm();
    if (vcpu !== NULL) yield* kvmReleaseVcpu(vcpu);
    Object.assign(this.done, this.counts());
    this.kvm = NULL;
    yield* kvmDestroyVm(kvm);
    if (!first) yield* exitMm();
  }

  /** A slot becomes another window of the process's memory. */
  private *moveSlot(kvm: Ptr<Kvm>, slot: number, space: Space): Op<void> {
    const area = space.areas.at(this.random.below(Math.max(1, space.areas.size)));
    if (area === null) return;
    const page = this.aligned(area.from + this.random.below(area.to - area.from), area.from);
    const pages = Math.min(this.window(), area.to - page);
    this.windows[slot] = page;
    yield* kvmSetMemoryRegion(kvm, slot % KVM_MEMORY_SLOTS, this.world.addresses.toSimulated(page), pages);
  }

  private window(): number {
    return this.hugePages ? Math.max(WINDOW, 2 * kvmPagesPerHpage()) : WINDOW;
  }

  /** Every other window begins where a huge page may, if the process has huge pages. */
  private aligned(page: number, first: number): number {
    if (!this.hugePages || this.random.below(2) === 0) return page;
    return Math.max(first, page - (this.world.addresses.toSimulated(page) % kvmPagesPerHpage()));
  }

  /**
   * What the guest reads is what the process would. While a system call of the process is under way nobody outside the kernel can say what that is; then
   * it is only read.
   */
  private *readPage(vcpu: Ptr<KvmVcpu>, space: Space): Op<void> {
    const slot = this.random.below(SLOTS);
    const offset = this.random.below(this.window());
    const page = (this.windows[slot] ?? 0) + offset;
    const { contents, memory } = this.world;
    const [begun, calls] = [contents.moment(), space.calls.begun];
    const quiet = space.calls.begun === space.calls.ended;
    yield* smpMb();
    yield* withoutCountingFaults(
      function* (this: Guest): Op<void> {
        const { error, content } = yield* guestRead(vcpu, slot * PAGES_PER_SLOT + offset);
        if (error === 0 && quiet && calls === space.calls.begun && !this.isCut(space, page)) {
          memory.check(space, page, content, begun);
        }
      }.bind(this),
    );
    const wrong = this.check();
    if (wrong !== null) throw new KernelBug('freed-page', `I12: ${wrong}`);
  }

  /** Of a file that somebody cuts it cannot be said from outside what is left at a moment. */
  private isCut(space: Space, page: number): boolean {
    const file = space.areas.find(page)?.file ?? null;
    return file !== null && this.world.cutFiles.has(file);
  }
}
