"""x"""
def test_it(foam, small):
    said = foam("train", *small, "--debug")
    print(said.out, said.err)
    assert said.code == 0
