(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "describe") (result i32) (i32.const 16))
  (func (export "run") (param i32 i32) (result i32) (i32.const 16)))
