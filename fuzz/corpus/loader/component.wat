(component
  (import "wflow:flow/task@0.1.0" (instance $task
    (export "run-id" (func (result string)))
    (export "random" (func (param "count" u32) (result (list u8))))))
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
    (func (export "describe") (result i32) (i32.const 16)))
  (core instance $i (instantiate $m))
  (func (export "describe") (result string)
    (canon lift (core func $i "describe") (memory $i "memory") (realloc (func $i "realloc")))))
