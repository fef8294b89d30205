(module
  (import "env" "exit" (func (param i32)))
  (memory (export "memory") 1)
  (func (export "describe") (result i32) (i32.const 16))
  (func (export "run") (param i32 i32) (result i32) (i32.const 16)))
