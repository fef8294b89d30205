(component
  (component $inner
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f"))))
  (instance $a (instantiate $inner))
  (instance $b (instantiate $inner))
  (export "run" (func $a "f")))
