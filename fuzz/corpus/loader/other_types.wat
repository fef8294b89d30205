(component
  (type $t (record (field "a" u32) (field "b" (list string))))
  (export $e "t" (type $t))
  (core module $m (func (export "f") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (func (export "describe") (param "x" u32) (result u32) (canon lift (core func $i "f"))))
