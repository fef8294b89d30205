//! `wasi:filesystem`: the folders that are granted, as `wasmtime-wasi` opens them, which lets no
//! path lead out of them. Here is what it leaves to us: no pipe or device is opened, since that
//! could block for ever or do something; and names are told in order.

use std::vec::IntoIter;

use wasmtime::component::HasData;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::p2::DynInputStream;
use wasmtime_wasi::p2::DynOutputStream;
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::IoError;
use wasmtime_wasi::p2::bindings::filesystem::types as async_types;
use wasmtime_wasi::p2::bindings::sync::filesystem::types;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::Advice;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::Descriptor;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::DescriptorFlags;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::DescriptorStat;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::DescriptorType;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::DirectoryEntry;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::DirectoryEntryStream;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::HostDescriptor;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::HostDirectoryEntryStream;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::MetadataHashValue;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::NewTimestamp;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::OpenFlags;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::PathFlags;

/// The folders of a task.
pub(super) struct Folders;

impl HasData for Folders {
    type Data<'a> = FoldersView<'a>;
}

/// The folders of a task, while a call works with them.
pub(super) struct FoldersView<'a>(pub(super) WasiFilesystemCtxView<'a>);

/// The most entries of a folder that is listed: all of them are held, to be put in order.
const MAX_LISTED: usize = 100_000;

/// What is in a folder. Stands in the table where the guest has its stream of entries.
struct Listing(IntoIter<FsResult<async_types::DirectoryEntry>>);

impl types::Host for FoldersView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        types::Host::convert_error_code(&mut self.0, error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<IoError>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        types::Host::filesystem_error_code(&mut self.0, error)
    }
}

/// Calls that are handed on as they are.
macro_rules! handed_on {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, $($arg: $type),*) -> $result {
            HostDescriptor::$name(&mut self.0, $($arg),*)
        })*
    };
}

impl HostDescriptor for FoldersView<'_> {
    fn open_at(
        &mut self,
        folder: Resource<Descriptor>,
        follow: PathFlags,
        path: String,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let same = Resource::new_borrow(folder.rep());
        // What cannot be looked at cannot be opened either, or is yet to be made: the call says so.
        if let Ok(stat) = self.0.stat_at(same, follow, path.clone()) {
            match stat.type_ {
                DescriptorType::Directory
                | DescriptorType::RegularFile
                | DescriptorType::SymbolicLink => {}
                _ => return Err(async_types::ErrorCode::NotPermitted.into()),
            }
        }
        self.0.open_at(folder, follow, path, how, flags)
    }

    /// Lists a folder. The order in which a file system has its entries differs between machines.
    fn read_directory(
        &mut self,
        folder: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let entries = self.0.read_directory(folder)?;
        let entries = self.0.table.delete(entries)?.into_iter();
        let mut entries: Vec<_> = entries.take(MAX_LISTED + 1).collect();
        if entries.len() > MAX_LISTED {
            return Err(async_types::ErrorCode::InsufficientMemory.into());
        }
        // What has no name that a guest could be told comes last.
        let name = |entry: &FsResult<async_types::DirectoryEntry>| {
            let name = entry.as_ref().map(|entry| entry.name.clone()).ok();
            (name.is_none(), name)
        };
        entries.sort_by_cached_key(name);
        let listing = self.0.table.push(Listing(entries.into_iter()))?;
        Ok(Resource::new_own(listing.rep()))
    }

    handed_on! {
        fn advise(file: Resource<Descriptor>, offset: u64, length: u64, advice: Advice)
            -> FsResult<()>;
        fn sync_data(file: Resource<Descriptor>) -> FsResult<()>;
        fn get_flags(file: Resource<Descriptor>) -> FsResult<DescriptorFlags>;
        fn get_type(file: Resource<Descriptor>) -> FsResult<DescriptorType>;
        fn set_size(file: Resource<Descriptor>, size: u64) -> FsResult<()>;
        fn set_times(file: Resource<Descriptor>, access: NewTimestamp, change: NewTimestamp)
            -> FsResult<()>;
        fn read(file: Resource<Descriptor>, length: u64, offset: u64) -> FsResult<(Vec<u8>, bool)>;
        fn write(file: Resource<Descriptor>, bytes: Vec<u8>, offset: u64) -> FsResult<u64>;
        fn sync(file: Resource<Descriptor>) -> FsResult<()>;
        fn create_directory_at(folder: Resource<Descriptor>, path: String) -> FsResult<()>;
        fn stat(file: Resource<Descriptor>) -> FsResult<DescriptorStat>;
        fn stat_at(folder: Resource<Descriptor>, follow: PathFlags, path: String)
            -> FsResult<DescriptorStat>;
        fn set_times_at(folder: Resource<Descriptor>, follow: PathFlags, path: String,
            access: NewTimestamp, change: NewTimestamp) -> FsResult<()>;
        fn link_at(folder: Resource<Descriptor>, follow: PathFlags, path: String,
            other: Resource<Descriptor>, new: String) -> FsResult<()>;
        fn drop(file: Resource<Descriptor>) -> wasmtime::Result<()>;
        fn readlink_at(folder: Resource<Descriptor>, path: String) -> FsResult<String>;
        fn remove_directory_at(folder: Resource<Descriptor>, path: String) -> FsResult<()>;
        fn rename_at(folder: Resource<Descriptor>, path: String, other: Resource<Descriptor>,
            new: String) -> FsResult<()>;
        fn symlink_at(folder: Resource<Descriptor>, content: String, path: String)
            -> FsResult<()>;
        fn unlink_file_at(folder: Resource<Descriptor>, path: String) -> FsResult<()>;
        fn read_via_stream(file: Resource<Descriptor>, offset: u64)
            -> FsResult<Resource<DynInputStream>>;
        fn write_via_stream(file: Resource<Descriptor>, offset: u64)
            -> FsResult<Resource<DynOutputStream>>;
        fn append_via_stream(file: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>>;
        fn is_same_object(one: Resource<Descriptor>, other: Resource<Descriptor>)
            -> wasmtime::Result<bool>;
        fn metadata_hash(file: Resource<Descriptor>) -> FsResult<MetadataHashValue>;
        fn metadata_hash_at(folder: Resource<Descriptor>, follow: PathFlags, path: String)
            -> FsResult<MetadataHashValue>;
    }
}

impl HostDirectoryEntryStream for FoldersView<'_> {
    fn read_directory_entry(
        &mut self,
        entries: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let listing = Resource::<Listing>::new_borrow(entries.rep());
        let Listing(entries) = self.0.table.get_mut(&listing)?;
        Ok(entries.next().transpose()?.map(Into::into))
    }

    fn drop(&mut self, entries: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.0.table.delete(Resource::<Listing>::new_own(entries.rep()))?;
        Ok(())
    }
}
