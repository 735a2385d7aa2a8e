//! How a type that both sides read is declared.

/// Declares map keys and values: `#[repr(C)]`, [`bytemuck::Pod`] (which refuses implicit padding), and
/// the size asserted beside the definition, so that a layout cannot change unnoticed.
macro_rules! shared {
    ($($(#[$meta:meta])* pub struct $name:ident: $size:literal { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        const _: () = assert!(core::mem::size_of::<$name>() == $size);
    )*};
}
pub(crate) use shared;

/// Writes a value to memory and reads it again.
///
/// The kernel's verifier follows every value that a register may hold along every path, until it gives
/// up. Of what is read from a map it knows nothing, so that all paths, and all turns of a loop, look
/// alike to it from here on. `slot` must therefore be in a map, not on the stack.
#[inline(always)]
pub fn obscure<T: Copy>(slot: &mut T, value: T) -> T {
    keep(slot, value);
    kept(slot)
}

/// The first half of [`obscure`]: writes a value to memory, to be read there by [`kept`].
#[inline(always)]
pub fn keep<T: Copy>(slot: &mut T, value: T) {
    // SAFETY: a reference is valid. Volatile, so that it is not left out.
    unsafe { (&raw mut *slot).write_volatile(value) }
}

/// The second half of [`obscure`]: reads what [`keep`] has written, as if nobody knew it.
#[inline(always)]
pub fn kept<T: Copy>(slot: &T) -> T {
    // SAFETY: as in `keep`.
    unsafe { (&raw const *slot).read_volatile() }
}

/// Writes a value word by word. A compiler that may choose fills and copies in the kernel by calling a
/// loop over bytes.
#[inline(always)]
pub fn put<T: bytemuck::Pod>(slot: &mut T, value: T) {
    const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() == 8) };
    let (slot, value): (*mut u64, *const u64) =
        ((&raw mut *slot).cast(), (&raw const value).cast());
    let mut word = 0;
    while word < size_of::<T>() / 8 {
        // SAFETY: both are valid references to as many aligned words.
        unsafe { slot.add(word).write_volatile(value.add(word).read()) };
        word += 1;
    }
}

/// As [`put`], into two places at once.
#[inline(always)]
pub fn put_both<T: bytemuck::Pod>(slots: [&mut T; 2], value: T) {
    const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() == 8) };
    let [first, second] = slots.map(|slot| (&raw mut *slot).cast::<u64>());
    let value: *const u64 = (&raw const value).cast();
    let mut word = 0;
    while word < size_of::<T>() / 8 {
        // SAFETY: all are valid references to as many aligned words.
        unsafe {
            let value = value.add(word).read();
            first.add(word).write_volatile(value);
            second.add(word).write_volatile(value);
        }
        word += 1;
    }
}

/// Whether the tag of a map value is the key under which it was found; asked *after* its other fields
/// were read.
///
/// The kernel may give a freed hash element to another key while a program still reads it, so a value
/// that decides access carries its own key: if the tag still fits after the reading, what was read
/// belonged to it (`kernel/bpf/hashtab.c`, `free_htab_elem`).
#[inline(always)]
pub fn tag_is<T: bytemuck::Pod>(tag: &T, key: &T) -> bool {
    const { assert!(size_of::<T>().is_multiple_of(4) && align_of::<T>() >= 4) };
    let (tag, key): (*const u32, *const u32) = ((&raw const *tag).cast(), (&raw const *key).cast());
    let mut difference = 0;
    let mut word = 0;
    while word < size_of::<T>() / 4 {
        // SAFETY: both are valid references to as many words. Volatile keeps the compiler from reading
        // the tag early.
        difference |= unsafe { tag.add(word).read_volatile() ^ key.add(word).read() };
        word += 1;
    }
    difference == 0
}
