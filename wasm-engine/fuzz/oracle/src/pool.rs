// SPDX-License-Identifier: BSD-3-Clause
//! The valid modules that mutants come from: merged from small ones of the suites, and generated.
use crate::{features, rng::Rng};
use std::path::Path;
use wasm_encoder::reencode::{Error, Reencode};
use wasmparser::{Parser, Payload, TypeRef, Validator};

/// Every valid .wasm of the suites, in the order of their names.
pub fn suite(dir: &Path) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir.join("core")).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let inside = std::fs::read_dir(&path).into_iter().flatten();
            paths.extend(inside.map(|entry| entry.unwrap().path()));
        } else {
            paths.push(path);
        }
    }
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "wasm"));
    paths.sort();
    let modules = paths.iter().map(|path| std::fs::read(path).unwrap());
    modules
        .filter(|module| module.len() < 1 << 16 && is_valid(module))
        .collect()
}

pub fn is_valid(module: &[u8]) -> bool {
    Validator::new_with_features(features::wasmparser())
        .validate_all(module)
        .is_ok()
}

/// Sizes of the index spaces of one module, and where they stand in the merged one.
#[derive(Default, Clone)]
struct Space {
    imported: u32,
    defined: u32,
    import_base: u32,
    defined_base: u32,
}

impl Space {
    fn map(&self, i: u32) -> u32 {
        if i < self.imported {
            self.import_base + i
        } else {
            self.defined_base + i - self.imported
        }
    }
}

/// Function, table, memory, global, tag: numbered as in the binary format.
#[derive(Default, Clone)]
struct Shift {
    spaces: [Space; 5],
    types: u32,
    elems: u32,
    datas: u32,
}

impl Reencode for Shift {
    type Error = std::convert::Infallible;

    fn type_index(&mut self, i: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.types + i)
    }
    fn element_index(&mut self, i: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.elems + i)
    }
    fn data_index(&mut self, i: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.datas + i)
    }
    fn function_index(&mut self, i: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.spaces[0].map(i))
    }
    fn table_index(&mut self, i: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.spaces[1].map(i))
    }
    fn memory_index(&mut self, i: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.spaces[2].map(i))
    }
    fn global_index(&mut self, i: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.spaces[3].map(i))
    }
    fn tag_index(&mut self, i: u32) -> Result<u32, Error<Self::Error>> {
        Ok(self.spaces[4].map(i))
    }
}

/// What a module counts: spaces, types, element and data segments.
fn count(module: &[u8]) -> Result<(Shift, u32, u32, u32), wasmparser::Error> {
    let (mut shift, mut types, mut elems, mut datas) = (Shift::default(), 0, 0, 0);
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::TypeSection(r) => {
                for group in r {
                    types += group?.types().len() as u32;
                }
            }
            Payload::ImportSection(r) => {
                for import in r.into_imports() {
                    let kind = match import?.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => 0,
                        TypeRef::Table(_) => 1,
                        TypeRef::Memory(_) => 2,
                        TypeRef::Global(_) => 3,
                        TypeRef::Tag(_) => 4,
                    };
                    shift.spaces[kind].imported += 1;
                }
            }
            Payload::FunctionSection(r) => shift.spaces[0].defined = r.count(),
            Payload::TableSection(r) => shift.spaces[1].defined = r.count(),
            Payload::MemorySection(r) => shift.spaces[2].defined = r.count(),
            Payload::GlobalSection(r) => shift.spaces[3].defined = r.count(),
            Payload::TagSection(r) => shift.spaces[4].defined = r.count(),
            Payload::ElementSection(r) => elems = r.count(),
            Payload::DataSection(r) => datas = r.count(),
            _ => {}
        }
    }
    Ok((shift, types, elems, datas))
}

/// One module that holds all of several, side by side; exports are renamed, the first start function stays.
pub fn merge(modules: &[&[u8]]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut shifts = Vec::new();
    let (mut types, mut elems, mut datas) = (0, 0, 0);
    for module in modules {
        let (mut shift, n_types, n_elems, n_datas) = count(module)?;
        (shift.types, shift.elems, shift.datas) = (types, elems, datas);
        types += n_types;
        elems += n_elems;
        datas += n_datas;
        shifts.push(shift);
    }
    for kind in 0..5 {
        let mut base = 0;
        for shift in &mut shifts {
            shift.spaces[kind].import_base = base;
            base += shift.spaces[kind].imported;
        }
        for shift in &mut shifts {
            shift.spaces[kind].defined_base = base;
            base += shift.spaces[kind].defined;
        }
    }

    let mut s = Sections::default();
    for (n, (module, shift)) in modules.iter().zip(&mut shifts).enumerate() {
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(r) => shift.parse_type_section(&mut s.types, r)?,
                Payload::ImportSection(r) => shift.parse_import_section(&mut s.imports, r)?,
                Payload::FunctionSection(r) => shift.parse_function_section(&mut s.funcs, r)?,
                Payload::TableSection(r) => shift.parse_table_section(&mut s.tables, r)?,
                Payload::MemorySection(r) => shift.parse_memory_section(&mut s.memories, r)?,
                Payload::TagSection(r) => shift.parse_tag_section(&mut s.tags, r)?,
                Payload::GlobalSection(r) => shift.parse_global_section(&mut s.globals, r)?,
                Payload::ExportSection(r) => {
                    for export in r {
                        let export = export?;
                        let kind = shift.export_kind(export.kind)?;
                        let index = shift.external_index(export.kind, export.index)?;
                        s.exports
                            .export(&format!("{n}{}", export.name), kind, index);
                    }
                }
                Payload::StartSection { func, .. } if s.start.is_none() => {
                    s.start = Some(shift.function_index(func)?);
                }
                Payload::ElementSection(r) => shift.parse_element_section(&mut s.elems, r)?,
                Payload::DataCountSection { .. } => s.has_data_count = true,
                Payload::CodeSectionEntry(body) => {
                    shift.parse_function_body(&mut s.code, body)?;
                }
                Payload::DataSection(r) => shift.parse_data_section(&mut s.datas, r)?,
                _ => {}
            }
        }
    }
    Ok(s.finish(datas))
}

#[derive(Default)]
struct Sections {
    types: wasm_encoder::TypeSection,
    imports: wasm_encoder::ImportSection,
    funcs: wasm_encoder::FunctionSection,
    tables: wasm_encoder::TableSection,
    memories: wasm_encoder::MemorySection,
    tags: wasm_encoder::TagSection,
    globals: wasm_encoder::GlobalSection,
    exports: wasm_encoder::ExportSection,
    start: Option<u32>,
    elems: wasm_encoder::ElementSection,
    has_data_count: bool,
    code: wasm_encoder::CodeSection,
    datas: wasm_encoder::DataSection,
}

impl Sections {
    fn finish(&self, n_datas: u32) -> Vec<u8> {
        let mut module = wasm_encoder::Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.funcs)
            .section(&self.tables)
            .section(&self.memories);
        if !self.tags.is_empty() {
            module.section(&self.tags);
        }
        module.section(&self.globals).section(&self.exports);
        if let Some(function_index) = self.start {
            module.section(&wasm_encoder::StartSection { function_index });
        }
        module.section(&self.elems);
        if self.has_data_count {
            module.section(&wasm_encoder::DataCountSection { count: n_datas });
        }
        module.section(&self.code).section(&self.datas);
        module.finish()
    }
}

const MIN_BYTES: usize = 1024;

/// Random modules of the suites, merged until they are of 1 KB.
fn merged(rng: &mut Rng, suite: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut bytes = 0;
    while bytes < MIN_BYTES + 100 {
        let part = rng.pick(suite);
        bytes += part.len();
        parts.push(part);
    }
    let module = merge(&parts).ok()?;
    let fits = (MIN_BYTES..8 * MIN_BYTES).contains(&module.len());
    (fits && is_valid(&module)).then_some(module)
}

fn generated(rng: &mut Rng) -> Option<Vec<u8>> {
    let mut config = features::smith();
    config.max_memories = 3;
    config.max_tables = 3;
    config.max_type_size = 200;
    config.max_instructions = 60 + rng.below(300);
    config.max_funcs = 1 + rng.below(12);
    config.max_imports = rng.below(8);
    config.max_exports = rng.below(8);
    config.generate_custom_sections = rng.chance(1, 8);
    let bytes = rng.bytes(16 << 10);
    let module = wasm_smith::Module::new(config, &mut arbitrary::Unstructured::new(&bytes)).ok()?;
    let module = module.to_bytes();
    let fits = (MIN_BYTES..8 * MIN_BYTES).contains(&module.len());
    (fits && is_valid(&module)).then_some(module)
}

/// n valid modules of 1 KB to 8 KB; three of four come from the suites when there are any.
pub fn pool(rng: &mut Rng, n: usize, suite: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut modules = Vec::new();
    while modules.len() < n {
        let module = if !suite.is_empty() && rng.chance(3, 4) {
            merged(rng, suite)
        } else {
            generated(rng)
        };
        modules.extend(module);
    }
    modules
}
