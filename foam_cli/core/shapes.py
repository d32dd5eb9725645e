"""The one legend of shape letters. Tensors carry them as suffixes: `x_BTD`, `down_CD`.

B  batch (examples)            F  width of the pretrained FFN (intermediate_size)
T  tokens                      C  capacity: slots in a bank of grown neurons
D  hidden_size                 G  new neurons of one event in one block
E  length of an output: D, but for a linear layer
V  vocabulary                  L  blocks (transformer layers)
N  tokens of a batch that carry a target
"""
