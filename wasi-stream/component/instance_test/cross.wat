;; A function that one component instance lifts and another lowers.
(component
  (component $A
    (core module $M (func (export "f")))
    (core instance $m (instantiate $M))
    (func (export "f") (canon lift (core func $m "f"))))
  (component $B
    (import "f" (func $f))
    (core func $lowered (canon lower (func $f)))
    (core module $M (import "" "f" (func $f)) (func (export "run") (call $f)))
    (core instance $m (instantiate $M (with "" (instance (export "f" (func $lowered))))))
    (func (export "run") (canon lift (core func $m "run"))))
  (instance $a (instantiate $A))
  (instance $b (instantiate $B (with "f" (func $a "f"))))
  (export "run" (func $b "run")))
